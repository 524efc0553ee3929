import Fastify, { type FastifyInstance, type FastifyServerOptions, type InjectOptions } from 'fastify'
import t, { type Test } from 'tap'
import gosesh, {
  bearerCredential,
  type Credential,
  cookieCredential,
  type GoseshOptions,
} from '../../lib/index.js'
import { addRoutes, buildApp, signIn } from '../tools/app.js'
import { recordingLogger } from '../tools/logger.js'
import { WatchedStore } from '../tools/store.js'

type Headers = Record<string, string>

/** An app with routes of every kind of method, a signed-in cookie, and what sends a request with it. */
async function signedInApp(
  t: Test,
  options: GoseshOptions = {},
  server: FastifyServerOptions = {},
  extend = (_app: FastifyInstance): void => {},
) {
  const app = Fastify(server)
  t.teardown(() => app.close())
  app.register(gosesh, options)
  addRoutes(app)
  extend(app)
  app.all('/act', async (request) => ({ user: request.session?.userId ?? null }))
  app.post('/callback', { config: { session: false } }, async (request) => ({ session: request.session }))
  const { cookie, session } = await signIn(app)
  const send = (headers: Headers, more: InjectOptions = {}) =>
    app.inject({ method: 'POST', url: '/act', ...more, headers: { cookie, ...headers } })
  return { app, cookie, session, send }
}

const crossOrigin: Headers[] = [
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'same-site', origin: 'http://localhost:80' },
  { 'sec-fetch-site': 'anything new' },
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: 'https://localhost:80' },
  { origin: 'http://localhost:8080' },
  { origin: 'http://localhost:80.evil.example' },
]
const ownOrigin: Headers[] = [
  {},
  { 'sec-fetch-site': 'same-origin' },
  { 'sec-fetch-site': 'none' },
  { 'sec-fetch-site': 'same-origin', origin: 'https://what-the-proxy-rewrote.example' },
  { origin: 'http://localhost:80' },
  { origin: 'http://LOCALHOST:80' },
]

t.test('an unsafe method with a verified cookie', async (t) => {
  t.test('is refused where a page of another origin sent it', async (t) => {
    const { send } = await signedInApp(t)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      for (const headers of crossOrigin) {
        const response = await send(headers, { method })
        const name = `${method} ${JSON.stringify(headers)}`
        t.match(response.json(), { statusCode: 403, code: 'GOSESH_ERR_CROSS_ORIGIN' }, name)
        t.match(response.headers, { 'cache-control': 'no-store', vary: 'Cookie' }, name)
      }
    }
  })

  t.test('is accepted from a page of its own origin, and from what is no browser', async (t) => {
    const { send } = await signedInApp(t)
    for (const headers of ownOrigin) {
      t.same((await send(headers)).json(), { user: 'ada' }, JSON.stringify(headers))
    }
  })

  t.test('is refused before it counts as activity, and before its handler runs', async (t) => {
    const store = new WatchedStore()
    let now = Date.now()
    let handled = 0
    const options = { store, activityTracking: {}, clock: { now: () => now } }
    const { app, session, send } = await signedInApp(t, options, {}, (extended) => {
      extended.addHook('preHandler', async () => void handled++)
    })
    now += 60_000
    handled = 0
    store.reset()
    t.equal((await send({ 'sec-fetch-site': 'cross-site' })).statusCode, 403)
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    t.same(store.counts, { getSession: 1 })
    t.equal(handled, 0)
    const [listed] = await app.gosesh.listUserSessions('ada')
    t.equal(listed?.lastActivityAt.toISOString(), String(session.lastActivityAt))
    t.equal((await send({ 'sec-fetch-site': 'same-origin' })).statusCode, 200)
    t.equal(app.gosesh.activityTracker?.pendingCount, 1, 'which an accepted one does')
  })

  t.test('shows an error handler no session', async (t) => {
    const seen: unknown[] = []
    const { send } = await signedInApp(t, {}, {}, (app) => {
      app.setErrorHandler(async (_error, request) => {
        seen.push(request.session)
        return 'handled'
      })
    })
    await send({ 'sec-fetch-site': 'cross-site' })
    t.same(seen, [null])
  })

  t.test('is logged at info under a stable name, with whose session it was', async (t) => {
    const logger = recordingLogger()
    const { session, send } = await signedInApp(t, { logger })
    await send({ origin: 'https://evil.example' })
    const [line] = logger.withMessage('cross-origin request refused')
    const { id: sessionId, userId } = session
    const details = {
      event: 'gosesh:cross-origin',
      sessionId,
      userId,
      method: 'POST',
      origin: 'https://evil.example',
    }
    t.match(line, { level: 'info', details: { ...details, reqId: /^req-/ } })
  })
})

t.test('what is no concern of it', async (t) => {
  t.test('safe methods', async (t) => {
    const { send } = await signedInApp(t)
    for (const headers of crossOrigin) {
      t.same((await send(headers, { method: 'GET' })).json(), { user: 'ada' }, JSON.stringify(headers))
    }
  })

  t.test('anonymous requests, and those whose cookie is no longer good', async (t) => {
    const { app, cookie, session } = await signedInApp(t)
    const headers = { 'sec-fetch-site': 'cross-site' }
    t.same((await app.inject({ method: 'POST', url: '/act', headers })).json(), { user: null })
    await app.gosesh.deleteSession(session.id)
    t.same((await app.inject({ method: 'POST', url: '/act', headers: { ...headers, cookie } })).json(), {
      user: null,
    })
  })

  t.test('bearer tokens, which no browser sends by itself', async (t) => {
    const { app } = await signedInApp(t, { credentials: [bearerCredential(), cookieCredential()] })
    const { token } = await app.gosesh.createSession('bo')
    const headers = { authorization: `Bearer ${token}`, 'sec-fetch-site': 'cross-site' }
    t.same((await app.inject({ method: 'POST', url: '/act', headers })).json(), { user: 'bo' })
  })

  t.test('routes without session work', async (t) => {
    const { send } = await signedInApp(t)
    const response = await send({ 'sec-fetch-site': 'cross-site' }, { url: '/callback' })
    t.same(response.json(), { session: null })
  })
})

t.test('a WebSocket, which a GET opens, is refused like an unsafe method', async (t) => {
  const { send } = await signedInApp(t)
  const upgrade = { connection: 'upgrade', upgrade: 'websocket' }
  const refused = await send({ ...upgrade, origin: 'https://evil.example' }, { method: 'GET' })
  t.equal(refused.statusCode, 403)
  t.equal((await send({ ...upgrade, origin: 'http://localhost:80' }, { method: 'GET' })).statusCode, 200)
})

t.test('a credential of the application’s own is ambient where it says so', async (t) => {
  const custom = (ambient?: boolean): Credential => ({
    name: 'custom',
    header: 'X-Session',
    challenge: null,
    idleTimeout: null,
    absoluteTimeout: 60_000,
    ...(ambient === undefined ? {} : { ambient }),
    read: (request) => (request.headers['x-session'] as string | undefined) ?? null,
  })
  for (const [ambient, statusCode] of [
    [undefined, 200],
    [false, 200],
    [true, 403],
  ] as const) {
    const app = buildApp(t, { credentials: [custom(ambient)] })
    app.post('/act', async () => 'in')
    await app.ready()
    const { token } = await app.gosesh.createSession('bo')
    const headers = { 'x-session': token, 'sec-fetch-site': 'cross-site' }
    t.equal((await app.inject({ method: 'POST', url: '/act', headers })).statusCode, statusCode)
  }
})

t.test('trustedOrigins', async (t) => {
  const trustedOrigins = ['https://app.example.com', 'https://admin.example.com:8443']

  t.test('may send unsafe methods, and sign in', async (t) => {
    const { app, send } = await signedInApp(t, { trustedOrigins })
    for (const origin of trustedOrigins) {
      t.equal((await send({ origin, 'sec-fetch-site': 'same-site' })).statusCode, 200)
      t.equal((await send({ origin })).statusCode, 200)
      const headers = { origin, 'sec-fetch-site': 'cross-site' }
      t.equal((await app.inject({ method: 'POST', url: '/login', headers, body: {} })).statusCode, 200)
    }
  })

  t.test('are whole origins and nothing alike', async (t) => {
    const { send } = await signedInApp(t, { trustedOrigins })
    for (const origin of [
      'http://app.example.com',
      'https://app.example.com.evil.example',
      'https://app.example.com:8443',
      'https://evil.example/https://app.example.com',
      'https://APP.example.com',
    ]) {
      t.equal((await send({ origin, 'sec-fetch-site': 'cross-site' })).statusCode, 403, origin)
    }
  })

  t.test('are checked at start-up', async (t) => {
    for (const [value, message] of [
      [
        'https://app.example.com',
        /^Option trustedOrigins is 'https:\/\/app.example.com'; expected a list of origins/,
      ],
      [
        ['https://app.example.com/'],
        /^Option trustedOrigins\[0\] is 'https:\/\/app.example.com\/'; expected an origin/,
      ],
      [['https://ok.example', '*'], /^Option trustedOrigins\[1\] is '\*'/],
      [['null'], /^Option trustedOrigins\[0\] is 'null'/],
      [[null], /^Option trustedOrigins\[0\] is null/],
      [['app.example.com'], /^Option trustedOrigins\[0\]/],
      [['https://App.example.com'], /^Option trustedOrigins\[0\]/],
    ] as const) {
      const app = buildApp(t, { trustedOrigins: value as never })
      await t.rejects(async () => await app.ready(), { code: 'GOSESH_ERR_OPTION', message })
    }
  })
})

t.test('behind a proxy the origin is what the browser saw, where trustProxy is set', async (t) => {
  const headers = {
    host: 'internal:3000',
    'x-forwarded-host': 'shop.example.com',
    'x-forwarded-proto': 'https',
    origin: 'https://shop.example.com',
  }
  const trusting = await signedInApp(t, {}, { trustProxy: true })
  t.equal((await trusting.send(headers)).statusCode, 200)
  const evil = await trusting.send({ ...headers, origin: 'http://internal:3000' })
  t.equal(evil.statusCode, 403)
  const distrusting = await signedInApp(t)
  t.equal((await distrusting.send(headers)).statusCode, 403, 'anybody can send X-Forwarded-Host')
})

t.test('dangerouslyAllowCrossOriginRequests turns it off, for sign-in too', async (t) => {
  const { app, send } = await signedInApp(t, { dangerouslyAllowCrossOriginRequests: true })
  const headers = { 'sec-fetch-site': 'cross-site' }
  t.equal((await send(headers)).statusCode, 200)
  t.equal((await app.inject({ method: 'POST', url: '/login', headers, body: {} })).statusCode, 200)
  t.equal(app.gosesh.policy.crossOriginProtection, false)
  const misspelt = buildApp(t, { dangerouslyAllowCrossOriginRequests: 1 as never })
  await t.rejects(async () => await misspelt.ready(), {
    code: 'GOSESH_ERR_OPTION',
    message: /dangerouslyAllowCrossOriginRequests is 1/,
  })
})
