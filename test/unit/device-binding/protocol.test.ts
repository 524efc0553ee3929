import t, { type Test } from 'tap'
import { bearerCredential, cookieCredential, type GoseshOptions } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { challengeIn, cookiesOf, createKey, deviceBinding, FakeDevice, sign } from '../../tools/device-key.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from '../options/policy-fixtures.js'

async function setUp(t: Test, options: GoseshOptions = {}) {
  const store = new WatchedStore()
  const clock = steppedClock()
  const app = buildApp(t, { deviceBinding, store, clock, ...options })
  app.get('/bound', { config: { session: { deviceBound: true } } }, async () => 'in')
  return { app, store, clock, device: await FakeDevice.create(app) }
}

t.test('a sign-in on a cookie offers to bind the session', async (t) => {
  const { app, device } = await setUp(t)
  const response = await app.inject({ method: 'POST', url: '/login' })
  const { id } = response.json()
  t.match(
    response.headers['secure-session-registration'],
    new RegExp(`^\\(ES256 RS256\\);path="/auth/device-key";challenge="${id}\\.[\\da-z]+\\.[\\w-]{43}"$`),
  )
  t.equal(response.cookies.length, 1)
  t.notOk((await device.get('/whoami')).headers['secure-session-registration'])
})

t.test('a registration binds the session, and answers with a proof and instructions', async (t) => {
  for (const alg of ['ES256', 'RS256']) {
    const { app, store, clock } = await setUp(t)
    const device = new FakeDevice(app, await createKey(alg))
    const { session, challenge } = await device.signIn()
    t.equal(session.deviceBound, false)
    store.reset()
    const response = await device.register(await sign(device.key, challenge))
    t.same(store.counts, { getSession: 1, updateSession: 1 }, 'one read and one write')
    t.same(response.json(), {
      session_identifier: session.id,
      refresh_url: '/auth/device-key/refresh',
      scope: { include_site: false },
      credentials: [
        {
          type: 'cookie',
          name: '__Host-session-bound',
          attributes: 'Path=/; Secure; HttpOnly; SameSite=Lax',
        },
      ],
      allowed_refresh_initiators: ['*'],
    })
    t.match(response.cookies, [
      { name: '__Host-session-bound', maxAge: 590, path: '/', secure: true, httpOnly: true, sameSite: 'Lax' },
    ])
    t.equal(response.headers['cache-control'], 'no-store')
    device.bound = cookiesOf(response)
    clock.forward(minute)
    store.reset()
    const me = await device.get('/me')
    t.match(me.json(), { id: session.id, deviceBound: true })
    t.same(store.counts, { getSession: 1 }, 'an ordinary request is one read')
    t.equal(me.headers['set-cookie'], undefined)
    t.equal((await device.get('/bound')).body, 'in')
    t.equal((await device.refresh(session.id)).statusCode, 200)
  }
})

t.test('header values may come in quotes, as the draft has them', async (t) => {
  const { device } = await setUp(t)
  const { session, challenge } = await device.signIn()
  t.equal((await device.register(`"${await sign(device.key, challenge)}"`)).statusCode, 200)
  const asked = await device.askRefresh(`"${session.id}"`)
  const proof = `"${await sign(device.key, challengeIn(asked))}"`
  t.equal((await device.askRefresh(`"${session.id}"`, { 'secure-session-response': proof })).statusCode, 200)
})

t.test('a refresh is challenged with 403, and then answered with a new proof', async (t) => {
  const { device, store, clock } = await setUp(t)
  const { id } = await device.bind()
  clock.forward(10 * minute)
  t.match((await device.get('/me')).json(), { statusCode: 401, code: 'GOSESH_ERR_DEVICE_PROOF' })
  store.reset()
  const asked = await device.askRefresh(id)
  t.equal(asked.statusCode, 403)
  t.match(
    asked.headers['secure-session-challenge'],
    new RegExp(`^"${id}\\.[\\da-z]+\\.[\\w-]{43}";id="${id}"$`),
  )
  t.equal((await device.refresh(id)).statusCode, 200)
  t.same(store.counts, { getSession: 3 }, 'no write, and no activity')
  t.equal((await device.get('/me')).statusCode, 200)
})

t.test('neither endpoint needs the session cookie, and one that names another session is 401', async (t) => {
  const { app, device } = await setUp(t)
  const other = await FakeDevice.create(app)
  await other.bind({ user: 'bo' })
  const { session, challenge } = await device.signIn()
  const proof = await sign(device.key, challenge)
  t.equal((await device.register(proof, { cookie: other.cookie })).statusCode, 401)
  t.equal((await device.register(proof, { cookie: '__Host-session=nonsense' })).statusCode, 200)
  t.equal((await device.askRefresh(session.id, { cookie: other.cookie })).statusCode, 401)
  t.equal((await device.askRefresh(session.id, { cookie: device.cookie })).statusCode, 403)
})

t.test('a registration that is sent twice is answered twice, with one write', async (t) => {
  const { device, store } = await setUp(t)
  const { challenge } = await device.signIn()
  const proof = await sign(device.key, challenge)
  for (let i = 0; i < 2; i++) t.equal((await device.register(proof)).statusCode, 200)
  t.equal(store.counts.updateSession, 1)
})

t.test('of many keys that register at once exactly one is taken', async (t) => {
  const { app, device } = await setUp(t)
  const { session, challenge } = await device.signIn()
  const keys = await Promise.all(Array.from({ length: 8 }, () => createKey()))
  const devices = keys.map((key) => new FakeDevice(app, key))
  const answers = await Promise.all(
    devices.map(async (rival) => (await rival.register(await sign(rival.key, challenge))).statusCode),
  )
  t.same(answers.toSorted(), [200, ...Array(7).fill(401)])
  for (const [index, rival] of devices.entries())
    t.equal((await rival.refresh(session.id)).statusCode, answers[index])
})

t.test(
  're-authentication keeps the key, and offers to bind only a session that is not bound yet',
  async (t) => {
    const { app, device } = await setUp(t)
    const { challenge } = await device.signIn()
    const confirm = async () => {
      const headers = { cookie: device.cookie }
      const response = await app.inject({
        method: 'POST',
        url: '/confirm',
        headers,
        body: { factors: ['otp'] },
      })
      device.session = cookiesOf(response)
      return response
    }
    const offered = await confirm()
    t.ok(offered.headers['secure-session-registration'])
    const registered = await device.register(await sign(device.key, challenge))
    t.equal(registered.statusCode, 200, 'an earlier offer is good, too')
    device.bound = cookiesOf(registered)
    const renewed = await confirm()
    t.equal(renewed.statusCode, 200)
    t.notOk(renewed.headers['secure-session-registration'])
    t.match(renewed.json(), { deviceBound: true, factors: [{ method: 'otp' }] })
    t.equal((await device.refresh(renewed.json().id)).statusCode, 200)
  },
)

t.test('the end of the session ends the key', async (t) => {
  for (const end of ['sign-out', 'revocation', 'expiry']) {
    const { app, device, clock } = await setUp(t)
    const { id } = await device.bind()
    const challenge = challengeIn(await device.askRefresh(id))
    if (end === 'revocation') t.ok(await app.gosesh.deleteSession(id))
    if (end === 'expiry') clock.forward(30 * minute)
    if (end === 'sign-out') {
      const response = await app.inject({
        method: 'POST',
        url: '/logout',
        headers: { cookie: device.cookie },
      })
      t.same(
        response.cookies.map(({ name, value }) => [name, value]),
        [
          ['__Host-session', ''],
          ['__Host-session-bound', ''],
        ],
      )
      t.notOk(response.headers['secure-session-registration'])
    }
    t.equal((await device.askRefresh(id)).statusCode, 401, end)
    const proof = await sign(device.key, challenge)
    t.equal((await device.askRefresh(id, { 'secure-session-response': proof })).statusCode, 401, end)
  }
})

t.test('a new sign-in clears the old bound cookie, and offers anew', async (t) => {
  const { app, device } = await setUp(t)
  const { id } = await device.bind()
  const headers = { cookie: device.cookie }
  const response = await app.inject({ method: 'POST', url: '/login', headers })
  t.match(response.cookies, [{ name: '__Host-session' }, { name: '__Host-session-bound', value: '' }])
  t.ok(response.headers['secure-session-registration'])
  t.equal(await app.gosesh.getSession(id), null)
})

t.test('the newest secret signs, and older ones verify', async (t) => {
  const [old, young] = ['o'.repeat(32), 'y'.repeat(32)]
  const store = new WatchedStore()
  const nodes = [[old], [young, old], [young]].map((secret) =>
    buildApp(t, { store, deviceBinding: { secret } }),
  )
  const [before, between, after] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]]
  if (!before || !between || !after) throw new Error()
  const device = await FakeDevice.create(before)
  const { id } = await device.bind()
  const at = (app: typeof before, url = '/me') => app.inject({ url, headers: { cookie: device.cookie } })
  t.equal((await at(between)).statusCode, 200)
  const renewed = new FakeDevice(between, device.key)
  await renewed.refresh(id)
  device.bound = renewed.bound
  t.equal((await at(after)).statusCode, 200)
  t.match((await at(before, '/whoami')).json(), { session: null }, 'a node that does not know the secret')
})

t.test('each cookie that gosesh writes has a bound one and endpoints of its own', async (t) => {
  const credentials = [
    cookieCredential(),
    cookieCredential({ name: 'wide', path: '/app', sameSite: 'strict' }),
  ]
  const { app, device } = await setUp(t, { credentials: [bearerCredential(), ...credentials] })
  const { challenge } = await device.signIn()
  const second = new FakeDevice(app, device.key, '/auth/device-key?cookie=wide')
  const response = await second.register(await sign(device.key, challenge))
  t.match(response.json(), {
    refresh_url: '/auth/device-key/refresh?cookie=wide',
    credentials: [{ name: 'wide-bound', attributes: 'Path=/app; Secure; HttpOnly; SameSite=Strict' }],
  })
})

t.test('a session that ended before its registration is not bound', async (t) => {
  const { app, device } = await setUp(t)
  const { session, challenge } = await device.signIn()
  await app.gosesh.deleteSession(session.id)
  t.equal((await device.register(await sign(device.key, challenge))).statusCode, 401)
})
