import { EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { RedisStore } from 'connect-redis'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createClient } from 'redis'
import t, { type Test } from 'tap'
import { goseshAfterFastifySession } from '../../../examples/recipes/migration.js'
import gosesh, {
  cookieCredential,
  type GoseshOptions,
  MemoryStore,
  type SignInOptions,
} from '../../../lib/index.js'
import { addRoutes } from '../../tools/app.js'
import { hasRedis, startRedis } from '../../tools/redis-server.js'
import { WatchedStore } from '../../tools/store.js'

const require = createRequire(import.meta.url)
// Required and not imported, because its types declare `request.session` too.
const fastifySession = require('@fastify/session')
const fastifyCookie = require('@fastify/cookie')
const secureSession = require('@fastify/secure-session')

const secret = 'a secret of at least thirty-two characters'

/** The store of @fastify/session that keeps sessions in the process, with what goes wrong left to the test. */
class OldStore extends fastifySession.MemoryStore {
  declare readonly store: Map<string, { cookie: { expires: Date } }>
  failing = false
  reads = 0
  writes = 0

  get(id: string, callback: (error: Error | null, session?: object) => void): void {
    this.reads++
    if (this.failing) callback(new Error('the old store is down'))
    else super.get(id, callback)
  }

  set(id: string, session: object, callback: (error?: Error) => void): void {
    this.writes++
    if (this.failing) callback(new Error('the old store is down'))
    else super.set(id, session, callback)
  }
}

/** The application as it was. */
function oldApp(t: Test, store: unknown, cookie: object = {}): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastifyCookie)
  app.register(fastifySession, { secret, store, cookie: { maxAge: 3_600_000, secure: false, ...cookie } })
  app.post('/login', async (request) => {
    const session = request.session as unknown as { regenerate(): Promise<void>; userId: string }
    await session.regenerate()
    Object.assign(request.session as object, { userId: (request.body as { user: string }).user })
    return { done: true }
  })
  app.get('/whoami', async (request) => ({ session: request.session }))
  return app
}

/** The application as it is now. */
function newApp(
  t: Test,
  store: unknown,
  options: Omit<GoseshOptions, 'credentials'> = {},
  more: { signInOptionsOf?: () => SignInOptions } = {},
): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  const userIdOf = (session: Record<string, unknown>) => session.userId as string | undefined
  app.register(goseshAfterFastifySession, { old: { store, secret, userIdOf, ...more }, ...options })
  addRoutes(app)
  return app
}

/** A browser that is sent from one application to the other. */
class Visitor {
  readonly cookies: Record<string, string> = {}

  async send(app: FastifyInstance, method: 'GET' | 'POST', url: string, body?: object) {
    const sent = { ...this.cookies }
    const headers = { 'x-forwarded-proto': 'https' }
    const response = await app.inject({ method, url, headers, cookies: sent, ...(body && { body }) })
    for (const { name, value, maxAge } of response.cookies) {
      if (maxAge === 0) delete this.cookies[name]
      else this.cookies[name] = value
    }
    return response
  }
}

/** The application of the page on migration, before or after. */
async function documentedApp(
  t: Test,
  when: 'Before' | 'After' | 'calls it',
  store: unknown,
  more: object = {},
): Promise<FastifyInstance> {
  const page = await readFile(
    new URL('../../../docs/migrating-from-fastify-session.md', import.meta.url),
    'utf8',
  )
  const [, code = ''] = new RegExp(`${when}:\\n\\n\`\`\`js\\n([\\s\\S]*?)\`\`\``).exec(page) ?? []
  const given = {
    Fastify,
    gosesh,
    cookie: fastifyCookie,
    session: fastifySession,
    secret,
    store,
    checkPassword: async ({ user }: { user: string }) => ({ id: user, role: 'editor' }),
    themes: new Map<string, string>(),
    ...more,
  }
  const build = new Function(...Object.keys(given), `${code.replace(/^import .*$/gm, '')}\nreturn { app }`)
  const { app } = build(...Object.values(given))
  t.teardown(() => app.close())
  return app
}

async function signedInBefore(t: Test, store: unknown, user = 'ada'): Promise<Visitor> {
  const visitor = new Visitor()
  await visitor.send(oldApp(t, store), 'POST', '/login', { user })
  return visitor
}

t.test('the application of the page answers the same before and after, and writes less', async (t) => {
  const old = new OldStore()
  const store = new WatchedStore()
  const before = { app: await documentedApp(t, 'Before', old), visitor: new Visitor() }
  const after = { app: await documentedApp(t, 'After', store), visitor: new Visitor() }
  const script = [
    ['GET', '/me', undefined, 401],
    ['POST', '/theme', { theme: 'dark' }, 401],
    ['POST', '/login', { user: 'ada' }, 200],
    ['GET', '/me', undefined, 200],
    ['POST', '/theme', { theme: 'dark' }, 200],
    ['GET', '/me', undefined, 200],
    ['POST', '/logout', undefined, 200],
    ['GET', '/me', undefined, 401],
  ] as const
  const cookiesSet = { before: 0, after: 0 }
  for (const [method, url, body, status] of script) {
    const was = await before.visitor.send(before.app, method, url, body)
    const is = await after.visitor.send(after.app, method, url, body)
    cookiesSet.before += was.cookies.length
    cookiesSet.after += is.cookies.length
    t.same([was.statusCode, is.statusCode], [status, status], `${method} ${url}`)
    const { message, ...answer } = was.json()
    t.match(is.json(), message === undefined ? was.json() : { ...answer, message }, `${method} ${url}`)
  }
  t.same(store.counts, { createSession: 1, getSession: 4, deleteSession: 1 })
  t.same(cookiesSet, { before: 7, after: 2 })
  t.ok(old.writes >= 7, `${old.writes} writes`)
})

t.test('a slow request that outlasts sign-out brings an old session back, and none of gosesh', async (t) => {
  for (const { app, lives } of [
    { app: await documentedApp(t, 'Before', new OldStore()), lives: true },
    { app: await documentedApp(t, 'After', new WatchedStore()), lives: false },
  ]) {
    const gate = new EventEmitter()
    app.get('/slow', async () => {
      gate.emit('started')
      await once(gate, 'finish')
      return { done: true }
    })
    const visitor = new Visitor()
    await visitor.send(app, 'POST', '/login', { user: 'ada' })
    const cookies = { ...visitor.cookies }
    const me = async () => (await app.inject({ url: '/me', cookies })).statusCode
    t.equal(await me(), 200)
    const started = once(gate, 'started')
    const slow = visitor.send(app, 'GET', '/slow')
    await started
    await visitor.send(app, 'POST', '/logout')
    t.equal(await me(), 401)
    gate.emit('finish')
    await slow
    t.equal(await me(), lives ? 200 : 401)
  }
})

t.test('who was signed in stays signed in, from the very first request', async (t) => {
  const old = new OldStore()
  const visitor = await signedInBefore(t, old)
  t.same(Object.keys(visitor.cookies), ['sessionId'])
  const store = new WatchedStore()
  const app = newApp(t, old, { store, activityTracking: {} })
  const first = await visitor.send(app, 'GET', '/me')
  t.match(first.json(), { userId: 'ada' })
  t.match(first.cookies, [{ name: '__Host-session', httpOnly: true, secure: true }, { name: 'sessionId' }])
  t.same(Object.keys(visitor.cookies), ['__Host-session'])

  old.reads = 0
  store.reset()
  const second = await visitor.send(app, 'GET', '/me')
  t.equal(second.json().id, first.json().id)
  t.same(second.cookies, [])
  t.equal(old.reads, 0)
  t.same(store.counts, { getSession: 1 }, 'one read and no write from then on')
})

t.test('who is carried over keeps role and remember-me, and has signed in a while ago', async (t) => {
  const day = 86_400_000
  for (const [maxAge, expected] of [
    [30 * day, { idleTimeout: null, days: 30, cookieDays: 15 }],
    [1_800_000, { idleTimeout: 1_800_000, days: 1, cookieDays: 0.5 }],
    [undefined, { idleTimeout: 1_800_000, days: 1, cookieDays: undefined }],
  ] as const) {
    const old = new OldStore()
    const before = await documentedApp(t, 'Before', old)
    before.addHook('preSerialization', async ({ session }) => {
      const { cookie } = session as unknown as {
        cookie: { originalMaxAge: number | null; expires: Date | null }
      }
      cookie.originalMaxAge = maxAge ?? null
      cookie.expires = maxAge === undefined ? null : new Date(Date.now() + maxAge)
    })
    const visitor = new Visitor()
    await visitor.send(before, 'POST', '/login', { user: 'ada' })
    const carrying = fp<{ store: MemoryStore }>(async (app, options) => {
      const userIdOf = (session: Record<string, string>) => session.userId
      const signInOptionsOf = (session: Record<string, string>) => ({ metadata: { role: session.role } })
      await app.register(goseshAfterFastifySession, {
        old: { store: old, secret, userIdOf, signInOptionsOf },
        ...options,
      })
    })
    const after = await documentedApp(t, 'After', new MemoryStore(), { gosesh: carrying })
    after.get('/session', async (request) => request.session)
    after.register(async (scope) => {
      const onRequest = (scope as FastifyInstance).requireRecentSignIn(3_600_000)
      scope.get('/recent', { onRequest }, async () => 'recent')
    })
    const first = await visitor.send(after, 'GET', '/me')
    t.same(first.json(), { userId: 'ada', role: 'editor', theme: 'light' })
    const cookie = first.cookies.find(({ name }) => name === '__Host-session')
    const days = cookie?.maxAge === undefined ? undefined : Math.round((cookie.maxAge * 10_000) / day) / 10
    t.equal(days, expected.cookieDays)
    const session = (await visitor.send(after, 'GET', '/session')).json()
    t.equal(session.idleTimeout, expected.idleTimeout)
    t.equal(Date.parse(session.absoluteDeadline) - Date.parse(session.createdAt), expected.days * day)
    const recent = await visitor.send(after, 'GET', '/recent')
    t.equal(recent.json().code, 'GOSESH_ERR_SIGN_IN_NOT_RECENT')
  }
})

t.test(
  'a sign-in of which the old session knows the time is carried over with it, unless it is over',
  async (t) => {
    const old = new OldStore()
    for (const [age, status] of [
      [3_600_000, 200],
      [86_400_000, 401],
    ] as const) {
      const visitor = await signedInBefore(t, old)
      const createdAt = new Date(Date.now() - age)
      const app = newApp(t, old, {}, { signInOptionsOf: () => ({ createdAt }) })
      const response = await visitor.send(app, 'GET', '/me')
      t.equal(response.statusCode, status)
      if (status === 200) t.equal(response.json().createdAt, createdAt.toJSON())
    }
  },
)

t.test('gosesh refuses nobody whom the exchange lets in: maxAge and notBefore hold for both', async (t) => {
  const old = new OldStore()
  for (const [options, status] of [
    [{ maxAge: 3_600_000 }, 200],
    [{ notBefore: new Date() }, 401],
  ] as const) {
    const visitor = await signedInBefore(t, old)
    t.equal((await visitor.send(newApp(t, old, options), 'GET', '/me')).statusCode, status)
  }
})

t.test('the cart of a visitor is merged into that of the user who signs in', async (t) => {
  const kept: Record<string, string[]> = {}
  const carts = {
    async add(id: string, items: string[]) {
      kept[id] = [...(kept[id] ?? []), ...items]
    },
  }
  const store = new MemoryStore()
  const insecure = (options: object) => ({ ...options, cookie: { secure: false } })
  const session = fp(async (app: FastifyInstance, options: object) => {
    await app.register(fastifySession, insecure(options))
  })
  const app = await documentedApp(t, 'calls it', store, { app: Fastify(), carts, session, cookieCredential })
  const visitor = new Visitor()
  t.equal((await visitor.send(app, 'POST', '/cart', { item: 'tea' })).statusCode, 200)
  t.equal((await visitor.send(app, 'POST', '/cart/merge')).statusCode, 401)
  await visitor.send(app, 'POST', '/login', { user: 'ada' })
  t.equal((await visitor.send(app, 'POST', '/cart/merge')).statusCode, 200)
  t.equal((await visitor.send(app, 'POST', '/cart/merge')).statusCode, 200, 'once')
  t.same(kept, { ada: ['tea'] })
})

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
