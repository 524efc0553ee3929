import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import ts from 'typescript'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))

/** A project that has the packed package and these installed; outside of this repository, whose packages would be found. */
async function project(t: Test, ...names: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gosesh-types-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
  })
  const [{ filename }] = JSON.parse(packed.stdout)
  await writeFile(join(folder, 'package.json'), '{ "private": true, "type": "module" }')
  const packages = [...names, 'fastify', '@types/node'].map((name) => `${name}@${devDependencies[name]}`)
  await run(
    'npm',
    [
      'install',
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      '--ignore-scripts',
      `./${filename}`,
      ...packages,
    ],
    { cwd: folder },
  )
  return folder
}

/** What a route of an application does with each plugin. */
const uses: Record<string, string> = {
  '@fastify/session': 'const id: string = request.session.encryptedSessionId',
  '@fastify/secure-session': 'const changed: boolean = request.session.changed',
  '@fastify/flash': "const count: number = request.flash('info', 'Saved')",
  '@fastify/passport': 'const isIn: boolean = request.isAuthenticated()',
}

interface Program {
  readonly plugin: string | null
  readonly from: 'gosesh' | 'gosesh/plugin'
  readonly first: 'gosesh' | 'plugin'
}

function sourceOf({ plugin, from, first }: Program): string {
  const ours = `import gosesh, { MemoryStore, redirectToSignIn, requireSession, type Session as SignInSession } from '${from}'`
  const theirs = plugin === null ? '' : `import theirs from '${plugin}'`
  return `import Fastify from 'fastify'
${first === 'gosesh' ? `${ours}\n${theirs}` : `${theirs}\n${ours}`}
import { type CompatSession, sessionCompat } from 'gosesh/compat'
import { signInAs } from 'gosesh/testing'

declare module '${from}' {
  interface SessionData { cart?: string[] }
}
declare module 'fastify' {
  interface FastifyRequest {
    readonly signInSession: SignInSession | null
    ${plugin === null && from === 'gosesh/plugin' ? 'session: CompatSession' : ''}
  }
}
const app = Fastify()
app.register(gosesh, { store: new MemoryStore(), decorateAs: 'signInSession', visitors: {} })
app.register(sessionCompat)
app.get('/in', { onRequest: [requireSession, redirectToSignIn('/sign-in')] }, async (request, reply) => {
  const session: SignInSession = request.requireSession()
  const userId: string | undefined = request.signInSession?.userId
  const cart: string[] | undefined = await request.sessionData.get('cart')
  const signedIn: SignInSession = await reply.signIn('ada')
  ${plugin === null ? '' : uses[plugin]}
  ${from === 'gosesh' ? 'const own: SignInSession | null = request.session' : ''}
  ${plugin === null && from === 'gosesh/plugin' ? 'const items: string[] | undefined = request.session.cart ?? request.session.get("cart")' : ''}
})
export const ada = async () => (await signInAs(app, 'ada')).cookie
${plugin === null ? '' : 'export { theirs }'}
`
}

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts'],
  types: ['node'],
  module: ts.ModuleKind.NodeNext,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
}

/** Parsed once for all programs, but for the two files that differ. */
const parsed = new Map<string, ts.SourceFile | undefined>()

/** What the compiler says of the program; nothing, if all is well. */
async function errorsOf(folder: string, program: Program, shim = ''): Promise<string[]> {
  const file = join(folder, 'app.ts')
  await writeFile(file, sourceOf(program))
  await writeFile(join(folder, 'shim.d.ts'), shim)
  const host = ts.createCompilerHost(options)
  host.getCurrentDirectory = () => folder
  const { getSourceFile } = host
  host.getSourceFile = (name, ...rest) => {
    if (!name.includes('/node_modules/')) return getSourceFile(name, ...rest)
    if (!parsed.has(name)) parsed.set(name, getSourceFile(name, ...rest))
    return parsed.get(name)
  }
  const built = ts.createProgram([file, join(folder, 'shim.d.ts')], options, host)
  // Those of Node and of the language have nothing to do with sessions, and take most of the time.
  const files = built
    .getSourceFiles()
    .filter(({ fileName }) => !/\/(?:@types|typescript|undici-types)\//.test(fileName))
  return [...built.getOptionsDiagnostics(), ...built.getGlobalDiagnostics()]
    .concat(
      files.flatMap((one) => [...built.getSyntacticDiagnostics(one), ...built.getSemanticDiagnostics(one)]),
    )
    .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`)
}

t.test('beside any of the plugins with types of a session, strict and with library checks', async (t) => {
  const folder = await project(t, ...Object.keys(uses), '@types/passport-local')
  for (const plugin of Object.keys(uses)) {
    for (const first of ['gosesh', 'plugin'] as const) {
      const program = { plugin, from: 'gosesh/plugin', first } as const
      t.same(await errorsOf(folder, program), [], `${plugin}, ${first} first`)
    }
  }
  const clash = await errorsOf(folder, { plugin: '@fastify/session', from: 'gosesh', first: 'gosesh' })
  t.match(clash, [/session/], 'which `gosesh` does not')
  for (const from of ['gosesh', 'gosesh/plugin'] as const) {
    t.same(await errorsOf(folder, { plugin: null, from, first: 'gosesh' }), [], `${from} alone`)
  }
})

t.test('beside plugins whose types of a session are not installed, `gosesh` will do', async (t) => {
  const folder = await project(t, '@fastify/flash', '@fastify/passport', '@types/passport-local')
  // Both want the types of a package that they do not depend on.
  const shim = "declare module '@fastify/secure-session' { interface SessionData {} }"
  for (const plugin of ['@fastify/flash', '@fastify/passport']) {
    for (const first of ['gosesh', 'plugin'] as const) {
      for (const from of ['gosesh', 'gosesh/plugin'] as const) {
        t.same(
          await errorsOf(folder, { plugin, from, first }, shim),
          [],
          `${plugin}, ${from}, ${first} first`,
        )
      }
    }
  }
})
