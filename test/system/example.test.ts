import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { buildApp } from '../../examples/app/app.js'
import { openDatabase } from '../../examples/app/database.js'
import {
  databaseFile,
  launch,
  read,
  sessionsOf,
  signedIn,
  signIn,
  startExample,
  statusOf,
} from './example-fixtures.js'
import { Browser, locationOf } from './oauth/browser.js'
import { answerAtProvider, freePort, startOidcServer } from './oauth/oidc-server.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

t.test('the application', async (t) => {
  const example = await startExample(t)
  const { url } = example

  t.test('prints its address and commands that run', async (t) => {
    t.match(example.guide, `http://127.0.0.1:${example.env.PROVIDER_PORT}`)
    const commands = example.guide.split('\n').filter((line) => line.startsWith('  '))
    t.equal(commands.length, 3)
    const whoami = String(commands.find((line) => line.endsWith('whoami')))
    const env = { ...process.env, XDG_CONFIG_HOME: t.testdir() }
    const run = promisify(execFile)('sh', ['-c', whoami], { cwd: root, env })
    await t.rejects(run, { code: 1, stderr: 'Not signed in\n' })
  })

  t.test('signs in at the provider, and comes back to the page that was asked for', async (t) => {
    const browser = new Browser()
    const home = await (await browser.get(`${url}/?next=/profile`)).text()
    const [, link = ''] = /href="(\/auth\/local[^"]*)"/.exec(home) ?? []
    t.equal(await signIn(example, browser, { link }), `${url}/profile`)
    const me = (await (await browser.get(`${url}/api/me`)).json()) as Record<string, unknown>
    t.match(me, { name: 'Ada Lovelace', email: 'ada@local.example', session: { current: true } })
    t.match(me, { session: { device: { name: 'Firefox 148 on Linux', kind: 'computer' } } })
  })

  t.test('lists the devices, and escapes what one calls itself', async (t) => {
    const browser = await signedIn(example, 'grace')
    await signedIn(example, 'grace', '<b>"\'&')
    const page = await (await browser.get(`${url}/account`)).text()
    t.match(page, '&lt;b&gt;&quot;&#39;&amp;')
    t.notMatch(page, '<b>')
    t.match(page, '<time datetime="')
    t.equal(page.match(/>This device</g)?.length, 1)
  })

  t.test('sends its pages with a policy, and does not let them be kept', async (t) => {
    const browser = await signedIn(example)
    const { headers } = await browser.get(`${url}/account`)
    t.match(headers.get('content-security-policy'), "default-src 'none'")
    t.notMatch(headers.get('content-security-policy'), 'unsafe')
    t.equal(headers.get('cache-control'), 'no-store')
    t.equal(headers.get('x-frame-options'), 'DENY')
    t.equal(headers.get('x-content-type-options'), 'nosniff')
  })

  t.test('signs out one device of the user and of nobody else', async (t) => {
    const [here, there, foreign] = [
      await signedIn(example, 'alan'),
      await signedIn(example, 'alan'),
      await signedIn(example, 'grace'),
    ]
    const idOf = async (browser: Browser) =>
      (await sessionsOf(example, browser)).find(({ current }) => current)?.id
    for (const browser of [there, foreign]) {
      const response = await here.post(`${url}/sessions/${await idOf(browser)}/sign-out`, {})
      t.equal(locationOf(response), `${url}/account`)
      t.match(await (await here.get(`${url}/account`)).text(), 'That device is signed out.')
    }
    t.equal(await statusOf(example, '/api/me', there), 401)
    t.equal(await statusOf(example, '/api/me', foreign), 200)
    const own = await here.post(`${url}/sessions/${await idOf(here)}/sign-out`, {})
    t.equal(locationOf(own), `${url}/signed-out`)
    t.equal(await statusOf(example, '/api/me', here), 401)
    const late = await here.post(`${url}/sign-out-everywhere`, {})
    t.equal(locationOf(late), `${url}/signed-out?ended`, 'a form of an ended session leads to signing in')
  })

  t.test('refuses a change that a page of another origin asks for', async (t) => {
    const browser = await signedIn(example)
    for (const path of ['/sign-out-others', '/sign-out-everywhere', '/profile', '/auth/sign-out']) {
      const response = await browser.post(`${url}${path}`, {}, { 'sec-fetch-site': 'same-site' })
      t.equal(response.status, 403, path)
    }
    t.equal(await statusOf(example, '/api/me', browser), 200)
  })

  t.test('answers JSON to programs and pages to people', async (t) => {
    const anonymous = await fetch(`${url}/api/me`)
    t.equal(anonymous.status, 401)
    t.match(anonymous.headers.get('www-authenticate'), 'Bearer')
    t.match(await anonymous.json(), { code: 'GOSESH_ERR_UNAUTHENTICATED' })
    t.match(await (await fetch(`${url}/api/nothing`)).json(), { statusCode: 404 })
    const page = await fetch(`${url}/nothing`)
    t.equal(page.status, 404)
    t.match(await page.text(), '<h1>There is no such page</h1>')
    const files = ['style.css', 'live.js', 'icon.svg'].map((name) => `/public/${name}`)
    const statuses = await Promise.all(['/health', ...files].map((path) => statusOf(example, path)))
    t.same(new Set(statuses), new Set([200]))
  })

  t.test('does not send a file again that a browser has', async (t) => {
    const issuer = `http://127.0.0.1:${example.env.PROVIDER_PORT}`
    for (const file of [`${url}/public/style.css`, `${url}/public/icon.svg`, `${issuer}/style.css`]) {
      const first = await fetch(file)
      const etag = String(first.headers.get('etag'))
      t.match(etag, /^"[\w-]{43}"$/, file)
      t.equal(first.headers.get('cache-control'), 'no-cache')
      for (const known of [etag, `"other", W/${etag}`]) {
        const again = await fetch(file, { headers: { 'if-none-match': known } })
        t.equal(again.status, 304, known)
        t.equal(again.headers.get('etag'), etag)
      }
      const changed = await fetch(file, { headers: { 'if-none-match': '"other"' } })
      t.equal(await changed.text(), await first.text())
    }
  })

  t.test('deletes a session for a program; what is not one of the user is 404', async (t) => {
    const [here, foreign] = [await signedIn(example, 'ada'), await signedIn(example, 'grace')]
    const cookie = [...here.cookies(url)].map(([name, value]) => `${name}=${value}`).join('; ')
    const remove = async (id: string | undefined) =>
      (await fetch(`${url}/api/sessions/${id}`, { method: 'DELETE', headers: { cookie } })).status
    const own = await sessionsOf(example, here)
    t.equal(await remove((await sessionsOf(example, foreign))[0]?.id), 404)
    t.equal(await remove('malformed'), 404)
    t.equal(await remove(own.find(({ current }) => !current)?.id), 204)
    t.equal((await sessionsOf(example, here)).length, own.length - 1)
  })

  t.test('lets an open page ask whether it is signed in, without keeping the session alive', async (t) => {
    const browser = await signedIn(example, 'alan')
    const id = (await sessionsOf(example, browser)).find(({ current }) => current)?.id
    const watcher = await signedIn(example, 'alan')
    const seen = async () => (await sessionsOf(example, watcher)).find((session) => session.id === id)
    const before = await seen()
    t.equal(await statusOf(example, '/api/session', browser), 200)
    t.same(await seen(), before)
    await statusOf(example, '/api/me', browser)
    t.not((await seen())?.lastActivityAt, before?.lastActivityAt)
  })
})

t.test(
  'SIGTERM ends it with exit code 0, and sessions outlive the restart, with their last activity',
  async (t) => {
    const before = await startExample(t)
    const browser = await signedIn(before)
    await statusOf(before, '/api/me', browser)
    const at = Date.now()
    before.process.kill('SIGTERM')
    t.same(await before.exited, [0, null])
    const after = await startExample(t, { ...before.env })
    // Asking as somebody else's device leaves the last activity as it was written.
    const [session] = (await sessionsOf(after, await signedIn(after))).filter(({ current }) => !current)
    t.ok(Date.parse(String(session?.lastActivityAt)) <= at)
    t.ok(Date.parse(String(session?.lastActivityAt)) > Date.parse(String(session?.createdAt)))
    t.equal(await statusOf(after, '/account', browser), 200)
  },
)

t.test(
  'a second Ctrl-C does not cut short the request being answered, and its connection does not hold up the end',
  async (t) => {
    const example = await startExample(t)
    const port = Number(new URL(example.url).port)
    const [idle, busy] = [connect(port, 'localhost'), connect(port, 'localhost')]
    idle.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')
    busy.write(
      'POST /auth/device/code HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 21\r\nexpect: 100-continue\r\n\r\n',
    )
    await Promise.all([read(idle, /"ok"/), read(busy, /100 Continue/)])
    example.process.kill('SIGINT')
    // The server ends idle connections when it begins to close.
    await read(idle)
    example.process.kill('SIGINT')
    busy.write('client_id=example-cli')
    t.match(await read(busy), /^HTTP\/1.1 200 .*connection: close\r\n/is)
    t.same(await example.exited, [0, null])
  },
)

t.test('what it cannot start with is said in one line, with exit code 1', async (t) => {
  const example = await startExample(t)
  const { PORT = '', PROVIDER_PORT = '' } = example.env
  const free = String(await freePort())
  const cases = [
    [{ PORT, PROVIDER_PORT: free }, `Port ${PORT} is in use; choose others`],
    [{ PORT: free, PROVIDER_PORT }, `Port ${PROVIDER_PORT} is in use; choose others`],
    [{ PORT: 'many' }, 'Cannot start: PORT is many; expected a port'],
    [{ PORT: free, OIDC_ISSUER: 'https://id.example' }, 'Cannot start: OIDC_ISSUER needs OIDC_CLIENT_ID'],
    [
      {
        PORT: String(await freePort()),
        PROVIDER_PORT: String(await freePort()),
        DATABASE: '/dev/null/app.db',
      },
      'Cannot start: ',
    ],
  ] as const
  const attempts = cases.map(async ([env, complaint]) => {
    const { process: child, exited } = launch(t, { DATABASE: databaseFile(t), ...env })
    const lines = (await read(child.stderr)).split('\n').filter((line) => !line.startsWith('oidc-provider'))
    t.ok(lines[0]?.startsWith(complaint), `${lines[0]}`)
    t.same(lines.slice(1), [''])
    t.same(await exited, [1, null])
  })
  await Promise.all(attempts)
})

t.test('an outage of the store, or of the provider, is said to be one, and signs nobody out', async (t) => {
  const database = await openDatabase(':memory:')
  const origin = 'http://localhost:3000'
  const client = { name: 'local', label: 'Nobody', clientId: 'app', clientSecret: 'none' }
  const provider = { ...client, issuer: `http://127.0.0.1:${await freePort()}` }
  const app = await buildApp({ origin, provider, database })
  t.teardown(() => app.close())
  const { token } = await app.gosesh.createSession('ada')
  const headers = { cookie: `gosesh-example=${token}`, accept: 'text/html', 'sec-fetch-mode': 'navigate' }
  t.equal((await app.inject({ url: '/account', headers })).statusCode, 200)
  const signingIn = await app.inject({ url: '/auth/local' })
  t.equal(signingIn.statusCode, 503)
  t.match(signingIn.body, 'The provider cannot be reached')

  const { store } = database
  const { getSession } = store
  store.getSession = async () => Promise.reject(new Error('the disk is gone'))
  const during = await app.inject({ url: '/account', headers })
  t.equal(during.statusCode, 503)
  t.match(during.body, 'You are not signed out.')
  t.notMatch(during.body, 'disk')
  t.equal(during.headers['set-cookie'], undefined)
  const signingOut = await app.inject({ method: 'POST', url: '/auth/sign-out', headers })
  t.equal(signingOut.statusCode, 503)
  t.match(signingOut.body, 'The sessions cannot be reached just now.')
  t.notMatch(signingOut.body, 'provider')
  t.equal(signingOut.headers['set-cookie'], undefined)
  store.getSession = getSession
  t.equal((await app.inject({ url: '/account', headers })).statusCode, 200)
})

t.test('over https the cookies are those that nothing else can set', async (t) => {
  const [origin, issuer] = ['https://app.example', 'https://id.example']
  const database = await openDatabase(':memory:')
  const provider = { name: 'company', label: 'The Company', issuer, clientId: 'app', clientSecret: 'none' }
  const app = await buildApp({ origin, provider, database })
  t.teardown(() => app.close())
  const { token } = await app.gosesh.createSession('ada')
  const response = await app.inject({
    method: 'POST',
    url: '/sign-out-everywhere',
    headers: { cookie: `__Host-session=${token}` },
  })
  t.match(response.headers['set-cookie'], /^__Host-session=;.*Secure/)
  t.match(response.headers['strict-transport-security'], 'max-age=31536000')
})

t.test('another provider takes the place of the local one', async (t) => {
  const port = await freePort()
  const origin = `http://localhost:${port}`
  const provider = await startOidcServer(t, origin, {
    clients: [
      {
        client_id: 'company-client',
        client_secret: 'company secret',
        redirect_uris: [`${origin}/auth/company/callback`],
      },
    ],
  })
  const example = await startExample(t, {
    PORT: String(port),
    OIDC_ISSUER: provider.issuer,
    OIDC_CLIENT_ID: 'company-client',
    OIDC_CLIENT_SECRET: 'company secret',
    OIDC_LABEL: 'The Company',
  })
  const browser = new Browser()
  t.match(await (await browser.get(`${origin}/`)).text(), 'You sign in with The Company')
  const begun = await browser.get(`${origin}/auth/company`)
  const callback = await answerAtProvider(browser, locationOf(begun), 'bo')
  t.equal(locationOf(await browser.get(callback)), `${origin}/account`)
  t.match(await (await browser.get(`${origin}/api/me`)).json(), {
    name: 'Name of bo',
    email: 'bo@acme.example',
  })
  t.equal(await statusOf(example, '/auth/local', browser), 404)
})
