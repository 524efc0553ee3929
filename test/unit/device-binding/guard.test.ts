import t, { type Test } from 'tap'
import { cookieCredential, type GoseshOptions, redirectToSignIn } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { challengeIn, cookiesOf, deviceBinding, FakeDevice, sign } from '../../tools/device-key.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from '../options/policy-fixtures.js'

async function setUp(t: Test, options: GoseshOptions = {}) {
  const store = new WatchedStore()
  const clock = steppedClock()
  const app = buildApp(t, { deviceBinding, store, clock, ...options })
  app.post('/open/confirm', { config: { session: false } }, async (_request, reply) => reply.reauthenticate())
  app.post('/open/logout', { config: { session: false } }, async (_request, reply) =>
    reply.signOut({ everywhere: true }),
  )
  app.get('/bound', { config: { session: { deviceBound: true } } }, async () => 'in')
  app.get('/page', { onRequest: redirectToSignIn('/sign-in') }, async () => 'in')
  const device = await FakeDevice.create(app)
  return { app, store, clock, device }
}

t.test('the session cookie alone is 401, keeps nothing alive, and is left alone', async (t) => {
  const { app, store, clock, device } = await setUp(t, { activityTracking: {} })
  await device.bind()
  clock.forward(minute)
  const headers = { cookie: device.session }
  for (const url of ['/me', '/bound']) {
    const response = await app.inject({ url, headers })
    t.match(response.json(), { statusCode: 401, code: 'GOSESH_ERR_DEVICE_PROOF' })
    t.equal(response.headers['set-cookie'], undefined)
    t.equal(response.headers['cache-control'], 'no-store')
    t.match(response.headers.vary, /Cookie/)
  }
  t.equal(app.gosesh.activityTracker?.pendingCount, 0)
  store.reset()
  t.equal((await device.get('/me')).statusCode, 200)
  t.equal(app.gosesh.activityTracker?.pendingCount, 1)
  t.same(store.counts, { getSession: 1 })
})

t.test('a route that wants no session sees nobody, so that a new sign-in is possible', async (t) => {
  const { app, clock, device } = await setUp(t)
  const { id } = await device.bind()
  clock.forward(minute)
  const headers = { cookie: device.session }
  const response = await app.inject({ url: '/whoami', headers })
  t.same(response.json(), { session: null })
  t.equal(response.headers['cache-control'], 'no-store')
  const page = await app.inject({ url: '/page', headers: { ...headers, 'sec-fetch-mode': 'navigate' } })
  t.match(page, { statusCode: 303, headers: { location: '/sign-in?next=%2Fpage' } })
  t.match((await app.inject({ url: '/page', headers })).json(), { code: 'GOSESH_ERR_DEVICE_PROOF' })
  const signedIn = await app.inject({ method: 'POST', url: '/login', headers })
  t.equal(signedIn.statusCode, 200)
  t.equal(await app.gosesh.getSession(id), null, 'the old session has ended')
})

t.test('without its proof a session confirms nothing and speaks for no other', async (t) => {
  const { app, clock, device } = await setUp(t)
  const { id } = await device.bind()
  const other = await FakeDevice.create(app)
  const { session: second } = await other.signIn()
  clock.forward(minute)
  const headers = { cookie: device.session }
  for (const url of ['/confirm', '/open/confirm'])
    t.equal((await app.inject({ method: 'POST', url, headers })).statusCode, 401, url)
  t.equal(
    (await app.inject({ method: 'POST', url: '/open/confirm', headers: { cookie: device.cookie } }))
      .statusCode,
    200,
  )
  t.equal((await app.inject({ method: 'POST', url: '/open/logout', headers })).statusCode, 200)
  t.ok(await app.gosesh.getSession(second.id))
  t.ok(await app.gosesh.getSession(id), 'the token is an old one by now')
})

t.test('whoever holds the token may end its session, and no other', async (t) => {
  const { app, clock, device } = await setUp(t)
  const { id } = await device.bind()
  const other = await FakeDevice.create(app)
  const { session: second } = await other.signIn()
  clock.forward(minute)
  await app.inject({ method: 'POST', url: '/open/logout', headers: { cookie: device.session } })
  t.equal(await app.gosesh.getSession(id), null)
  t.ok(await app.gosesh.getSession(second.id))
})

t.test('what the browser sent before it heard of its registration is let through', async (t) => {
  const { app, clock, device } = await setUp(t)
  await device.bind()
  const headers = { cookie: device.session }
  clock.forward(4_999)
  t.equal((await app.inject({ url: '/me', headers })).statusCode, 200)
  t.equal((await app.inject({ url: '/bound', headers })).statusCode, 200)
  clock.forward(1)
  t.equal((await app.inject({ url: '/me', headers })).statusCode, 401)
})

t.test('a session that ends between the two reads is let through by neither', async (t) => {
  const { app, store, device } = await setUp(t)
  const { id } = await device.bind()
  let reads = 0
  store.on('getSession', async (proceed) => {
    const record = await proceed()
    if (++reads === 1) await app.gosesh.deleteSession(id)
    return record
  })
  t.equal((await app.inject({ url: '/me', headers: { cookie: device.session } })).statusCode, 401)
})

t.test('a proof is good for its lifetime, and an old one that is still sent is cleared', async (t) => {
  const { clock, device } = await setUp(t, {
    deviceBinding: { ...deviceBinding, lifetime: 5 * minute },
    credentials: [cookieCredential({ idleTimeout: null })],
  })
  const { id } = await device.bind()
  clock.forward(5 * minute - 1)
  t.equal((await device.get('/me')).statusCode, 200)
  clock.forward(1)
  const response = await device.get('/me')
  t.match(response.json(), { code: 'GOSESH_ERR_DEVICE_PROOF' })
  t.same(
    response.cookies.map(({ name, value }) => [name, value]),
    [['__Host-session-bound', '']],
  )
  t.equal((await device.get('/me', { 'sec-fetch-mode': 'navigate' })).statusCode, 307)
  t.equal((await device.refresh(id)).statusCode, 200)
  clock.forward(-10 * minute)
  t.equal((await device.get('/me')).statusCode, 401, 'a clock that stepped back makes none live longer')
  t.equal((await device.refresh(id)).statusCode, 200)
  t.equal((await device.get('/me')).statusCode, 200)
})

t.test('a browser that could not reach the server is told to try again, and never let in', async (t) => {
  const { app, clock, device } = await setUp(t)
  await device.bind()
  clock.forward(minute)
  for (const [skipped, status] of [
    ['server_error', 503],
    ['unreachable;session_identifier="x"', 503],
    ['"server_error"', 503],
    ['quota_exceeded', 401],
    ['unreachable_host', 401],
    ['', 401],
  ] as const) {
    const headers = { cookie: device.session, 'secure-session-skipped': skipped }
    t.equal((await app.inject({ url: '/me', headers })).statusCode, status, skipped)
    if (status !== 503) continue
    t.match((await app.inject({ url: '/whoami', headers })).json(), {
      code: 'GOSESH_ERR_DEVICE_PROOF',
      statusCode: 503,
    })
  }
  t.equal((await device.get('/me', { 'secure-session-skipped': 'server_error' })).statusCode, 200)
})

t.test('an unbound session is refused by the demand alone, whatever it carries', async (t) => {
  const { device } = await setUp(t)
  await device.signIn()
  device.bound = '__Host-session-bound=x'
  t.equal((await device.get('/me')).statusCode, 200)
  t.match((await device.get('/bound')).json(), {
    statusCode: 401,
    code: 'GOSESH_ERR_DEVICE_PROOF',
    message: /^This needs a session that is bound to the device/,
  })
})

t.test('a page of another origin is refused before anything is asked of the proof', async (t) => {
  const { app, device } = await setUp(t)
  await device.bind()
  const headers = { cookie: device.session, 'sec-fetch-site': 'cross-site' }
  t.equal((await app.inject({ method: 'POST', url: '/confirm', headers })).statusCode, 403)
})

t.test('two sessions in one profile: the later sign-in counts', async (t) => {
  const { app, device } = await setUp(t)
  const first = await device.bind()
  const old = device.bound
  const response = await app.inject({
    method: 'POST',
    url: '/login',
    headers: { cookie: device.cookie },
    body: { user: 'bo' },
  })
  device.session = cookiesOf(response)
  device.bound = old
  t.equal((await device.get('/me')).json().userId, 'bo', 'plain until it is bound')
  t.equal(
    (await device.register(await sign(device.key, challengeIn(response)), { cookie: device.cookie }))
      .statusCode,
    200,
  )
  t.equal((await device.askRefresh(first.id, { cookie: device.cookie })).statusCode, 401)
  const wrong = await device.get('/me')
  t.match(wrong.cookies, [{ name: '__Host-session-bound', value: '' }])
})
