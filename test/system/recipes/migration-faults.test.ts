import { RedisStore } from 'connect-redis'
import Fastify from 'fastify'
import { createClient } from 'redis'
import t from 'tap'
import gosesh, { MemoryStore } from '../../../lib/index.js'
import { addRoutes } from '../../tools/app.js'
import { hasRedis, startRedis } from '../../tools/redis-server.js'
import { WatchedStore } from '../../tools/store.js'
import {
  fastifyCookie,
  fastifySession,
  newApp,
  OldStore,
  oldApp,
  require,
  secret,
  signedInBefore,
  Visitor,
} from './migration-fixtures.js'

const secureSession = require('@fastify/secure-session')

t.test('requests sent side by side with the old cookie are all signed in', async (t) => {
  const old = new OldStore()
  const { cookies } = await signedInBefore(t, old)
  const app = newApp(t, old)
  const together = Array.from({ length: 5 }, () => app.inject({ url: '/me', cookies }))
  for (const { statusCode } of await Promise.all(together)) t.equal(statusCode, 200)
  t.equal((await app.inject({ url: '/me', cookies })).statusCode, 200, 'and so is a late one')
})

t.test('who is signed out stays signed out, whatever copy of the old cookie comes back', async (t) => {
  const old = new OldStore()
  const visitor = await signedInBefore(t, old)
  const copy = { ...visitor.cookies }
  const app = newApp(t, old)
  await visitor.send(app, 'GET', '/me')
  await visitor.send(app, 'POST', '/logout')
  t.equal((await visitor.send(app, 'GET', '/me')).statusCode, 401)
  t.equal((await app.inject({ url: '/me', cookies: copy })).statusCode, 401)

  const atOnce = await signedInBefore(t, old, 'bo')
  const other = { ...atOnce.cookies }
  t.equal((await atOnce.send(app, 'POST', '/logout')).statusCode, 200, 'by the first request too')
  t.same(atOnce.cookies, {})
  t.equal((await app.inject({ url: '/me', cookies: other })).statusCode, 401)
  t.same(await app.gosesh.listUserSessions('bo'), [])
})

t.test('an old cookie that is forged, expired, or of a visitor signs nobody in', async (t) => {
  const old = new OldStore()
  const app = newApp(t, old)
  const { sessionId = '' } = (await signedInBefore(t, old)).cookies
  const forged = { sessionId: sessionId.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')) }
  t.equal((await app.inject({ url: '/me', cookies: forged })).statusCode, 401)

  const visitor = new Visitor()
  await visitor.send(oldApp(t, old), 'GET', '/whoami')
  const anonymous = await visitor.send(app, 'GET', '/whoami')
  t.same(anonymous.json(), { session: null })
  t.same(anonymous.cookies, [])

  const late = await signedInBefore(t, old)
  const [id = ''] = String(late.cookies.sessionId).split('.')
  Object(old.store.get(id)).cookie.expires = new Date(Date.now() - 1)
  t.equal((await late.send(app, 'GET', '/me')).statusCode, 401)
})

t.test('an outage of either store is a 503, and the old session is there afterwards', async (t) => {
  const old = new OldStore()
  const visitor = await signedInBefore(t, old)
  const store = new WatchedStore()
  const app = newApp(t, old, { store })
  old.failing = true
  const down = await visitor.send(app, 'GET', '/me')
  t.match([down.statusCode, down.cookies], [503, []])
  old.failing = false
  store.fail('createSession')
  const alsoDown = await visitor.send(app, 'GET', '/me')
  t.match([alsoDown.statusCode, alsoDown.cookies], [503, []])
  store.off('createSession')
  old.set = (_id, _session, callback) => callback(new Error('the old store is down'))
  t.equal((await visitor.send(app, 'GET', '/me')).statusCode, 503)
  t.same(await app.gosesh.listUserSessions('ada'), [], 'no session that the old one does not know of')
  t.same(Object.keys(visitor.cookies), ['sessionId'])
  Reflect.deleteProperty(old, 'set')
  t.match((await visitor.send(app, 'GET', '/me')).json(), { userId: 'ada' })
})

t.test(
  'after a way back to the old version and forth again, the session of the old version counts',
  async (t) => {
    const old = new OldStore()
    const visitor = await signedInBefore(t, old)
    const app = newApp(t, old)
    await visitor.send(app, 'GET', '/me')
    await app.gosesh.deleteUserSessions('ada')
    await visitor.send(oldApp(t, old), 'POST', '/login', { user: 'ada' })
    t.same(
      Object.keys(visitor.cookies).sort(),
      ['__Host-session', 'sessionId'],
      'a dead session and a live one',
    )
    t.match((await visitor.send(app, 'GET', '/me')).json(), { userId: 'ada' })
    t.same(Object.keys(visitor.cookies), ['__Host-session'])
  },
)

t.test('routes without session work do not touch the old store', async (t) => {
  const old = new OldStore()
  const visitor = await signedInBefore(t, old)
  const app = newApp(t, old)
  old.reads = 0
  t.same((await visitor.send(app, 'GET', '/health')).json(), { session: null })
  t.equal(old.reads, 0)
})

t.test('both plugins have a place in one application, each in a context of its own', async (t) => {
  const both = Fastify()
  both.register(fastifyCookie)
  both.register(fastifySession, { secret })
  both.register(gosesh)
  await t.rejects(
    async () => await both.ready(),
    { code: 'FST_ERR_DEC_ALREADY_PRESENT' },
    'in one context they collide',
  )

  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastifyCookie)
  app.register(async (shop) => {
    shop.register(fastifySession, { secret, cookie: { secure: false } })
    shop.post('/cart', async (request) => {
      const cart = request.session as unknown as { items?: number }
      cart.items = (cart.items ?? 0) + 1
      return { items: cart.items }
    })
  })
  app.register(async (account) => {
    account.register(gosesh, { store: new MemoryStore() })
    addRoutes(account)
  })
  const visitor = new Visitor()
  t.same((await visitor.send(app, 'POST', '/cart')).json(), { items: 1 })
  await visitor.send(app, 'POST', '/login', { user: 'ada' })
  t.same((await visitor.send(app, 'POST', '/cart')).json(), { items: 2 })
  t.match((await visitor.send(app, 'GET', '/me')).json(), { userId: 'ada' })
  t.same(Object.keys(visitor.cookies).sort(), ['__Host-session', 'sessionId'])
})

t.test('@fastify/secure-session under another name has a place beside gosesh in one context', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(secureSession, { sessionName: 'visitor', key: Buffer.alloc(32, 1), cookie: { path: '/' } })
  app.register(gosesh)
  addRoutes(app)
  app.post('/cart', async (request) => {
    const { visitor } = request as unknown as { visitor: Map<string, number> }
    visitor.set('items', (visitor.get('items') ?? 0) + 1)
    return { items: visitor.get('items'), user: request.session?.userId ?? null }
  })
  const visitor = new Visitor()
  t.same((await visitor.send(app, 'POST', '/cart')).json(), { items: 1, user: null })
  await visitor.send(app, 'POST', '/login', { user: 'ada' })
  t.same((await visitor.send(app, 'POST', '/cart')).json(), { items: 2, user: 'ada' })
  await visitor.send(app, 'POST', '/logout')
  t.same((await visitor.send(app, 'POST', '/cart')).json(), { items: 3, user: null })
})

t.test('sessions of @fastify/session that are kept in Redis', async (t) => {
  if (!hasRedis(t)) return
  const server = await startRedis(t)
  const client = createClient({ url: server.url })
  await client.connect()
  t.teardown(() => client.close())
  const old = new RedisStore({ client })
  const visitor = await signedInBefore(t, old)
  const copy = { ...visitor.cookies }
  const app = newApp(t, old)
  t.match((await visitor.send(app, 'GET', '/me')).json(), { userId: 'ada' })
  t.equal((await app.inject({ url: '/me', cookies: copy })).statusCode, 200)
  await app.gosesh.deleteUserSessions('ada')
  t.equal((await app.inject({ url: '/me', cookies: copy })).statusCode, 401)
})
