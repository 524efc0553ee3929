import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { rateLimits } from '../../../examples/recipes/rate-limit.js'
import { sessionCompat } from '../../../lib/compat/index.js'
import gosesh from '../../../lib/index.js'
import { addRoutes, signIn } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'

async function limitedApp(
  t: Test,
  limits: { perAddress?: number; perSession?: number },
  decorateAs = 'session',
) {
  const app = Fastify()
  t.teardown(() => app.close())
  const store = new WatchedStore()
  app.register(rateLimits, limits)
  app.register(gosesh, { store, decorateAs, visitors: {}, activityTracking: {} })
  if (decorateAs !== 'session') app.register(sessionCompat)
  await app.after()
  addRoutes(app)
  const get = (cookie: string, remoteAddress = '192.0.2.1') =>
    app.inject({ url: '/whoami', headers: { cookie }, remoteAddress })
  return { app, store, get }
}

t.test('each session has a limit of its own, whatever address its requests come from', async (t) => {
  const { app, get } = await limitedApp(t, { perSession: 3 })
  const one = await signIn(app, { user: 'ada' })
  const two = await signIn(app, { user: 'ada' })
  for (let i = 1; i <= 3; i++) {
    const response = await get(one.cookie, `192.0.2.${i}`)
    t.equal(response.statusCode, 200)
    t.equal(response.headers['x-ratelimit-remaining'], String(3 - i))
  }
  const refused = await get(one.cookie, '192.0.2.4')
  t.equal(refused.statusCode, 429)
  t.ok(Number(refused.headers['retry-after']) > 0)
  t.equal((await get(two.cookie)).statusCode, 200, 'another session from the same address goes on')
  for (let i = 0; i < 10; i++) t.equal((await get('')).statusCode, 200, 'so does who is not signed in')
})

t.test('the limit is the same if decorateAs calls the session something else', async (t) => {
  const { app, get } = await limitedApp(t, { perSession: 1 }, 'signInSession')
  const { cookie } = await signIn(app)
  t.equal((await get(cookie)).statusCode, 200)
  t.equal((await get(cookie, '192.0.2.2')).statusCode, 429)
  for (let i = 0; i < 3; i++) t.equal((await get('')).statusCode, 200)
})

t.test('made-up tokens cost the store no more than the limit of their address', async (t) => {
  const { app, store, get } = await limitedApp(t, { perAddress: 4 })
  store.reset()
  const statuses: number[] = []
  for (let i = 0; i < 8; i++) {
    statuses.push((await get(`__Host-session=${String(i).padEnd(22, 'a')}.${'a'.repeat(43)}`)).statusCode)
  }
  t.same(statuses, [200, 200, 200, 200, 429, 429, 429, 429])
  t.same(store.counts, { getSession: 4 })
  t.equal((await get('', '192.0.2.2')).statusCode, 200, 'another address goes on')
  const refused = await app.inject({ url: '/me', remoteAddress: '192.0.2.1' })
  t.equal(refused.statusCode, 429, 'also where a session is required')
  t.ok(Number(refused.headers['retry-after']) > 0)
})

t.test('addresses of one IPv6 network count as one', async (t) => {
  const { get } = await limitedApp(t, { perAddress: 2 })
  t.equal((await get('', '2001:db8::1')).statusCode, 200)
  t.equal((await get('', '2001:db8::2')).statusCode, 200)
  t.equal((await get('', '2001:db8::3')).statusCode, 429)
  t.equal((await get('', '2001:db8:1::1')).statusCode, 200)
})
