import { readdir, readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import t from 'tap'
import { errorCodes, GoseshError } from '../lib/errors.js'
import gosesh, { bearerCredential, cookieCredential } from '../lib/index.js'
import { parseOptions } from '../lib/options.js'
import { cookieOf } from './helpers/app.js'

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')

/** The rows of the table that follows this text, as cells. */
function tableAfter(text: string): string[][] {
  const start = readme.indexOf(text)
  if (start < 0) throw new Error(`the README does not say: ${text}`)
  const [table = ''] = /(?:^\|.*\n)+/m.exec(readme.slice(start)) ?? []
  const rows = table.trim().split('\n').slice(2)
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** What the table says is the default of each option. */
function documentedDefaults(text: string): Record<string, string> {
  return Object.fromEntries(
    tableAfter(text).map(([name = '', value = '']) => [name.replaceAll('`', ''), value.replaceAll('`', '')]),
  )
}

t.test('the app of the README works as it says', async (t) => {
  const [, code = ''] = /```js\n(import Fastify[\s\S]*?)```/.exec(readme) ?? []
  const body = code
    .replace(/^import .*$/gm, '')
    .replace('logger: true', 'logger: false')
    .replace('await app.listen({ port: 3000 })', 'return app')
  const build = new Function('Fastify', 'gosesh', 'checkPassword', `return (async () => {${body}})()`)
  const app = await build(Fastify, gosesh, async ({ user }: { user: string }) => user)
  t.teardown(() => app.close())
  const login = await app.inject({ method: 'POST', url: '/login', body: { user: 'ada' } })
  t.match(login.json(), { expires: /^\d{4}-/ })
  const headers = { cookie: cookieOf(login) }
  t.match((await app.inject({ url: '/me', headers })).json(), { userId: 'ada', lastActivityAt: /^\d{4}-/ })
  t.equal((await app.inject('/me')).statusCode, 401)
  t.equal((await app.inject('/health')).body, 'ok')
  await app.inject({ method: 'POST', url: '/logout', headers })
  t.equal((await app.inject({ url: '/me', headers })).statusCode, 401)
})

t.test('the documented defaults are the real ones', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh)
  await app.ready()
  const settings = parseOptions({ activityTracking: {} }, app)
  t.same(Object.keys(documentedDefaults('## Options')).sort(), Object.keys(settings).sort())
  for (const [text, actual] of [
    ['## Options', { ...settings, sweepInterval: app.gosesh.policy.sweepInterval }],
    ['`activityTracking`:', settings.activityTracking],
    ['`cookieCredential(options)`', cookieCredential()],
    ['`bearerCredential(options)`', bearerCredential()],
  ] as const) {
    for (const [name, value] of Object.entries(documentedDefaults(text))) {
      const real = (actual as Record<string, unknown> | null)?.[name]
      if (Number.isFinite(real) || typeof real === 'boolean') t.equal(value, String(real), `${text} ${name}`)
      if (Array.isArray(real) && real.length === 0) t.equal(value, '[]', `${text} ${name}`)
    }
  }
})

t.test('every error code is documented, with its status', async (t) => {
  const rows = tableAfter('## Errors')
  t.same(rows.map(([code = '']) => code.replaceAll('`', '')).sort(), [...errorCodes])
  for (const [code = '', status = ''] of rows) {
    if (status === '') continue
    const { statusCode } = new GoseshError(code.replaceAll('`', '') as never)
    t.ok(status.split(', ').includes(String(statusCode)), code)
  }
})

t.test('nothing is left to be filled in', async (t) => {
  const pages = await readdir(new URL('../docs', import.meta.url))
  for (const path of [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    ...pages.map((page) => `docs/${page}`),
  ]) {
    const text = await readFile(new URL(`../${path}`, import.meta.url), 'utf8').catch(() => '')
    t.notMatch(text, /@[A-Z]+@|TODO|FIXME/, path)
  }
})

t.test('every file that the README links to is there', async (t) => {
  for (const [, path = ''] of readme.matchAll(/\]\(([^)#:]+)\)/g)) {
    t.ok(await readFile(new URL(`../${path}`, import.meta.url), 'utf8'), path)
  }
})
