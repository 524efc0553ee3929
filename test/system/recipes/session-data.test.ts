import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import ts from 'typescript'
import gosesh, { MemoryStore } from '../../../lib/index.js'
import { Browser } from './browser.js'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const page = await readFile(new URL('../../../docs/session-data.md', import.meta.url), 'utf8')

function blocksOf(language: string): string[] {
  const blocks = page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))
  return Array.from(blocks, ([, code = '']) => code)
}

/** Runs the JavaScript of the page, all of it in order. */
async function appOfPage(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  const given = {
    app,
    gosesh,
    store: new MemoryStore(),
    checkPassword: async ({ user }: { user: string }) => user,
  }
  const run = new Function(...Object.keys(given), `return (async () => {${blocksOf('js').join('\n')}})()`)
  await run(...Object.values(given))
  return app
}

t.test('every code block of the page is one that is run here', async (t) => {
  t.equal(blocksOf('js').length, 2)
  t.equal(blocksOf('ts').length, 1)
  t.equal(page.match(/^```/gm)?.length, 6)
})

t.test('the cart of a visitor is there after they have signed in', async (t) => {
  const browser = new Browser(await appOfPage(t))
  t.same((await browser.post('/cart', { item: 'tea' })).json(), ['tea'])
  t.same((await browser.post('/cart', { item: 'cup' })).json(), ['tea', 'cup'])
  t.match((await browser.post('/login', { user: 'ada' })).json(), { userId: 'ada' })
  t.same([...browser.cookies.keys()], ['__Host-session'])
  t.same((await browser.post('/cart', { item: 'pot' })).json(), ['tea', 'cup', 'pot'])
})

t.test('the message is there once after the redirect, and is not carried over', async (t) => {
  const browser = new Browser(await appOfPage(t))
  for (const [signIn, notice] of [
    [false, 'Saved'],
    [true, undefined],
  ] as const) {
    const answer = await browser.post('/profile')
    t.equal(answer.statusCode, 303)
    if (signIn) await browser.post('/login', { user: 'ada' })
    t.equal((await browser.get(String(answer.headers.location))).json().notice, notice)
    t.same((await browser.get('/profile')).json(), {})
  }
})

t.test('TypeScript knows the keys that are named', async (t) => {
  const file = `${root}test/system/recipes/of-the-page.ts`
  const code = `
    import type { FastifyRequest } from 'fastify'
    import 'gosesh'
    ${blocksOf('ts').join('\n')}
    export async function handler({ sessionData }: FastifyRequest): Promise<string[]> {
      await sessionData.set('notice', 'Saved')
      // @ts-expect-error
      await sessionData.set('notice', 1)
      // @ts-expect-error
      await sessionData.get('misspelt')
      const notice: string | undefined = await sessionData.take('notice')
      const cart = await sessionData.update('cart', (cart = []) => [...cart, 'tea'])
      return [...(cart ?? []), notice ?? '']
    }`
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const host = ts.createCompilerHost(options)
  const { getSourceFile } = host
  host.getSourceFile = (name, languageVersion) =>
    name === file
      ? ts.createSourceFile(name, code, languageVersion)
      : getSourceFile.call(host, name, languageVersion)
  const program = ts.createProgram([file], options, host)
  const diagnostics = ts.getPreEmitDiagnostics(program, program.getSourceFile(file))
  t.same(
    diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
    [],
  )
})
