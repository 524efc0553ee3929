import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, normalize, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))

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

/** Dependencies point one way. Each layer may use those before it; inside a layer, see `isAllowed`. */
const layers = ['types', 'core', 'modules', 'plugin', 'index'] as const

type Layer = (typeof layers)[number]

/** The folders of `lib` that put the modules together. All others but `core` are modules. */
const assembling = ['options', 'plugin']

function layerOf(file: string): Layer {
  const [top, folder = '', ...rest] = file.split('/')
  if (top === 'types') return 'types'
  if (rest.length === 0) return 'index'
  if (folder === 'core') return 'core'
  return assembling.includes(folder) ? 'plugin' : 'modules'
}

/** The folder of `lib`, and for a store its own one: stores share what lies in `stores/shared` and nothing else. */
function moduleOf(file: string): string {
  const [, folder = '', store = ''] = file.split('/')
  return folder === 'stores' ? `stores/${store}` : folder
}

function isAllowed(from: string, to: string): boolean {
  const [upper, lower] = [layerOf(from), layerOf(to)]
  if (upper !== lower) return layers.indexOf(lower) < layers.indexOf(upper)
  if (upper !== 'modules') return true
  return moduleOf(from) === moduleOf(to) || moduleOf(to) === 'stores/shared'
}

t.test('dependencies point one way: types, core, modules, plugin, index', async (t) => {
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
    t.equal(touches, file.endsWith('/plugin.ts'), file)
  }
})

t.test('one file lies at the top of lib: what the package exports', async (t) => {
  const top = (await sourceFiles('lib')).filter((file) => file.split('/').length === 2)
  t.same(top, ['lib/index.ts'])
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
    await import(new URL(`../../${file}`, import.meta.url).href)
  }
})
