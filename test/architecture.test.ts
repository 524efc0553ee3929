import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))

async function sourceFiles(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
}

/** The files of this repository that a file imports or re-exports from. */
async function importsOf(file: string): Promise<string[]> {
  const source = ts.createSourceFile(file, await readFile(join(root, file), 'utf8'), ts.ScriptTarget.Latest)
  return source.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return []
    const specifier = statement.moduleSpecifier
    if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith('.'))
      return []
    return [normalize(join(dirname(file), specifier.text)).replace(/\.js$/, '.ts')]
  })
}

const rooms = ['session', 'credentials', 'activity', 'stores', 'oauth', 'testing']
/** What every room may use: small, without state, and depending on nothing but types and one another. */
const foundation = [
  'errors',
  'check',
  'redirect-to-sign-in',
  'require-session',
  'return-to',
  'timing',
  'token',
  'user-id',
  'capabilities',
  'diagnostics',
  'verified-by',
  'internals',
].map((name) => `lib/${name}.ts`)

type Layer = 'types' | 'foundation' | 'room' | 'plugin' | 'index'

function layerOf(file: string): Layer {
  if (file.startsWith('types/')) return 'types'
  if (foundation.includes(file)) return 'foundation'
  if (file === 'lib/index.ts') return 'index'
  return roomOf(file) === undefined ? 'plugin' : 'room'
}

function roomOf(file: string): string | undefined {
  return rooms.find((room) => file.startsWith(`lib/${room}/`))
}

const mayImport: Record<Layer, readonly Layer[]> = {
  types: ['types'],
  foundation: ['types', 'foundation'],
  room: ['types', 'foundation'],
  plugin: ['types', 'foundation', 'room', 'plugin'],
  index: ['types', 'foundation', 'room', 'plugin'],
}

function isAllowed(from: string, to: string): boolean {
  // `onFlushError` and `errorPage` are told of an error class; types know no other code.
  if (/^types\/(?:options|oauth)\.ts$/.test(from) && to === 'lib/errors.ts') return true
  const room = roomOf(from)
  if (room !== undefined && room === roomOf(to)) return true
  return mayImport[layerOf(from)].includes(layerOf(to))
}

t.test('dependencies point one way: types, foundation, rooms, plugin, index', async (t) => {
  const files = [...(await sourceFiles('lib')), ...(await sourceFiles('types'))]
  t.ok(files.length > 25, 'the files are found')
  for (const file of files) {
    for (const imported of await importsOf(file)) {
      t.ok(isAllowed(file, imported), `${file} imports ${imported}`)
    }
  }
})

t.test('only the plugins touch a Fastify instance', async (t) => {
  for (const file of await sourceFiles('lib')) {
    const text = await readFile(join(root, file), 'utf8')
    const touches = /^ *app\.(?:decorate|addHook|register)/m.test(text)
    if (touches) t.ok(['lib/plugin.ts', 'lib/oauth/plugin.ts'].includes(file), file)
  }
  t.match(await readFile(join(root, 'lib/plugin.ts'), 'utf8'), /app\.addHook/)
})

t.test('types hold types and nothing else', async (t) => {
  for (const file of await sourceFiles('types')) {
    const { outputText } = ts.transpileModule(await readFile(join(root, file), 'utf8'), {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ESNext },
    })
    t.equal(outputText.trim(), 'export {};', file)
  }
})

t.test('every file of lib can be read in one sitting', async (t) => {
  for (const file of await sourceFiles('lib')) {
    const lines = (await readFile(join(root, file), 'utf8')).split('\n').length
    t.ok(lines <= 300, `${file} has ${lines} lines`)
    // Coverage counts only what some test loads.
    await import(new URL(`../${file}`, import.meta.url).href)
  }
})
