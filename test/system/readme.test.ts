import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { buildApp } from '../../examples/app/app.js'
import { openDatabase } from '../../examples/app/database.js'
import { errorCodes, GoseshError } from '../../lib/core/errors.js'
import gosesh, { bearerCredential, cookieCredential } from '../../lib/index.js'
import { github, oauth } from '../../lib/oauth/index.js'
import { parseOptions } from '../../lib/options/options.js'
import { cookieOf } from '../tools/app.js'

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
const reference = await readFile(new URL('../../docs/reference.md', import.meta.url), 'utf8')

/** The rows of the table that follows this text of the reference, as cells. */
function tableAfter(text: string): string[][] {
  const start = reference.indexOf(text)
  if (start < 0) throw new Error(`the reference does not say: ${text}`)
  const [table = ''] = /(?:^\|.*\n)+/m.exec(reference.slice(start)) ?? []
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

/** The example application, as `npm start` starts it but for its provider, which nothing here asks. */
async function startExample(t: Test) {
  const origin = 'http://localhost:3000'
  const provider = { name: 'local', label: 'Nobody', clientId: 'app', clientSecret: 'none' }
  const database = await openDatabase(':memory:')
  const app = await buildApp({ origin, provider: { ...provider, issuer: 'http://127.0.0.1:1' }, database })
  t.teardown(() => app.close())
  await app.listen({ host: 'localhost', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return { app, url: `http://localhost:${port}` }
}

/** For the shell, as not every machine that runs the tests has the program: the part of it that the README uses. */
const curl = `curl() { node -e '
  const [flag, header = "", address] = process.argv.slice(1)
  const [name, value] = header.split(": ")
  fetch(flag === "-H" ? address : flag, { headers: flag === "-H" ? { [name]: value } : {} })
    .then(async (response) => console.log(await response.text()))
' -- "$@"; }`

t.test('the commands to try say what the README says they do', async (t) => {
  const [, block = ''] = /With the app running, from a shell:\n\n```sh\n([\s\S]*?)```/.exec(readme) ?? []
  const commands = Array.from(block.matchAll(/^([^#].*)\n((?:#.*\n)*)/gm), ([, command = '', says = '']) => ({
    command,
    says: says.replace(/^# /gm, '').trimEnd(),
  }))
  t.equal(commands.length, 4)
  const { app, url } = await startExample(t)
  const home = t.testdir()
  const env = { ...process.env, APP_URL: url, XDG_CONFIG_HOME: home }
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const run = async (command: string) => {
    const line = command.replaceAll('http://localhost:3000', url)
    return (await promisify(execFile)('sh', ['-c', `${curl}\n${line}`], { cwd, env })).stdout.trimEnd()
  }
  for (const { command, says } of commands) {
    if (command.endsWith('sign-in')) {
      // It waits for somebody at a browser, which test/system/browser has; here is what it leaves behind.
      const userId = await app.gosesh.upsertUser('local|ada')
      const { token } = await app.gosesh.createSession(userId, { metadata: { device_client: 'example-cli' } })
      await mkdir(`${home}/gosesh-example`)
      await writeFile(`${home}/gosesh-example/${encodeURIComponent(url)}.token`, token)
      continue
    }
    const answer = (await run(command)).replace(/(?<="id":"[\w-]{8})[\w-]{14}(?=")|(?<=At":")[^"]+/g, '…')
    t.ok(
      answer.replace(/(?<="id":")[\w-]{8}/, 'AK32Yq8i').startsWith(says.replace(/ …$/, '')),
      `${command}: ${answer}`,
    )
  }
})

t.test('the sign-in with a provider works as it says', async (t) => {
  const [, code = ''] = /```js\n(import \{ github[\s\S]*?)```/.exec(readme) ?? []
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh)
  const body = code.replace(/^import .*$/gm, '')
  const register = new Function('app', 'oauth', 'github', 'google', `return (async () => {${body}})()`)
  const secret = { clientSecret: 'secret' }
  // Google's would be discovered, over the network.
  const offline = (options: { clientId: string }) => github({ ...options, ...secret })
  await register(app, oauth, offline, offline)
  for (const name of ['google', 'github']) {
    const { headers } = await app.inject(`/auth/${name}`)
    const { searchParams } = new URL(String(headers.location))
    t.equal(searchParams.get('redirect_uri'), `https://app.example/auth/${name}/callback`)
  }
  const headers = { accept: 'text/html', 'sec-fetch-mode': 'navigate' }
  t.equal((await app.inject({ url: '/inbox', headers })).headers.location, '/sign-in?next=%2Finbox')
  const { token } = await app.gosesh.createSession('ada')
  const signedIn = await app.inject({ url: '/inbox', headers: { cookie: `__Host-session=${token}` } })
  t.same(signedIn.json(), { userId: 'ada' })
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
  const pages = await readdir(new URL('../../docs', import.meta.url))
  for (const path of [
    'README.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    ...pages.map((page) => `docs/${page}`),
  ]) {
    const text = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8').catch(() => '')
    t.notMatch(text, /@[A-Z]+@|TODO|FIXME/, path)
  }
})

t.test('every file that the README links to is there', async (t) => {
  for (const [, path = ''] of readme.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
    t.ok(await readFile(new URL(`../../${path}`, import.meta.url), 'utf8'), path)
  }
})
