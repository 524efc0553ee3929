import t, { type Test } from 'tap'
import { buildApp } from '../../tools/app.js'
import { cookiesOf, deviceBinding, FakeDevice, sign } from '../../tools/device-key.js'
import { LoggedStore } from '../../tools/logged-store.js'
import { minute, steppedClock } from '../options/policy-fixtures.js'

/** Two nodes over one store and its log, and a device that has bound its session on the first of them. */
async function boundOnOne(t: Test) {
  const store = new LoggedStore()
  const clock = steppedClock()
  const nodes = [1, 2].map(() => {
    const app = buildApp(t, { store, clock, deviceBinding, sessionCache: {} })
    app.get('/bound', { config: { session: { deviceBound: true } } }, async () => ({}))
    return app
  })
  for (const app of nodes) await app.ready()
  const [one, two] = nodes as [(typeof nodes)[0], (typeof nodes)[0]]
  const device = await FakeDevice.create(one)
  await device.bind()
  clock.forward(minute)
  return { store, one, two, device }
}

t.test('a bound session with its proof is found in memory', async (t) => {
  const { store, device } = await boundOnOne(t)
  await device.get('/me')
  store.reset()
  t.match((await device.get('/me')).json(), { deviceBound: true })
  t.same(store.counts, {})
})

t.test('without its proof it is refused, in memory or not', async (t) => {
  const { one, two, device } = await boundOnOne(t)
  for (const app of [one, two]) {
    for (let tries = 0; tries < 2; tries++) {
      await app.inject({ url: '/me', headers: { cookie: device.cookie } })
      const stolen = await app.inject({ url: '/me', headers: { cookie: device.session } })
      t.match(stolen.json(), { statusCode: 401, code: 'GOSESH_ERR_DEVICE_PROOF' })
    }
  }
})

t.test('the demand of a bound session is put to the store', async (t) => {
  const { store, device } = await boundOnOne(t)
  await device.get('/me')
  store.reset()
  t.equal((await device.get('/bound')).statusCode, 200)
  t.same(store.counts, { getSession: 1 })
})

t.test('a registration drops what was in memory as unbound', async (t) => {
  const store = new LoggedStore()
  const clock = steppedClock()
  const app = buildApp(t, { store, clock, deviceBinding, sessionCache: {} })
  await app.ready()
  const device = await FakeDevice.create(app)
  const { challenge } = await device.signIn()
  await device.get('/me')
  t.match((await device.get('/me')).json(), { deviceBound: false })
  device.bound = cookiesOf(await device.register(await sign(device.key, challenge)))
  clock.forward(minute)
  t.match((await device.get('/me')).json(), { deviceBound: true })
  const stolen = await app.inject({ url: '/me', headers: { cookie: device.session } })
  t.equal(stolen.statusCode, 401)
})
