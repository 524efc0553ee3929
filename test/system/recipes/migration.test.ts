import { EventEmitter, once } from 'node:events'
import { readFile } from 'node:fs/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
// The recipe imports the built package, and so must what is registered beside it.
import { sessionCompat as builtCompat } from 'gosesh/compat'
import t, { type Test } from 'tap'
import { goseshAfterFastifySession } from '../../../examples/recipes/migration.js'
import { sessionCompat } from '../../../lib/compat/index.js'
import gosesh, { MemoryStore, type Session, type SignInOptions } from '../../../lib/index.js'
import { WatchedStore } from '../../tools/store.js'
import {
  fastifyCookie,
  fastifySession,
  newApp,
  OldStore,
  secret,
  signedInBefore,
  Visitor,
} from './migration-fixtures.js'

/** The application of the page on migration, before or after. */
async function documentedApp(
  t: Test,
  when: 'Before' | 'every route stays' | 'After' | 'takes along',
  store: unknown,
  more: object = {},
): Promise<FastifyInstance> {
  const page = await readFile(
    new URL('../../../docs/migrating-from-fastify-session.md', import.meta.url),
    'utf8',
  )
  const codeAfter = (text: string): string =>
    new RegExp(`${text}:\\n\\n\`\`\`js\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] ?? ''
  // The block with `gosesh/compat` has the lines that register, and the routes are those from before.
  const routes = /^app\.post[\s\S]*/m.exec(codeAfter('Before'))?.[0]
  const code = codeAfter(when) + (when === 'every route stays' ? routes : '')
  const given = {
    Fastify,
    gosesh,
    sessionCompat,
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

t.test('the application of the page answers the same before and after, and writes less', async (t) => {
  const old = new OldStore()
  const [store, compatStore] = [new WatchedStore(), new WatchedStore()]
  const before = { app: await documentedApp(t, 'Before', old), visitor: new Visitor() }
  const compat = { app: await documentedApp(t, 'every route stays', compatStore), visitor: new Visitor() }
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
  const cookiesSet = { before: 0, compat: 0, after: 0 }
  for (const [method, url, body, status] of script) {
    const was = await before.visitor.send(before.app, method, url, body)
    const between = await compat.visitor.send(compat.app, method, url, body)
    const is = await after.visitor.send(after.app, method, url, body)
    cookiesSet.before += was.cookies.length
    cookiesSet.compat += between.cookies.length
    cookiesSet.after += is.cookies.length
    const statuses = [was, between, is].map(({ statusCode }) => statusCode)
    t.same(statuses, [status, status, status], `${method} ${url}`)
    t.same(between.json(), was.json())
    const { message, ...answer } = was.json()
    t.match(is.json(), message === undefined ? was.json() : { ...answer, message }, `${method} ${url}`)
  }
  t.same(store.counts, { createSession: 1, getSession: 4, deleteSession: 1 })
  t.same(compatStore.counts, { createSession: 1, getSession: 4, readData: 4, writeData: 1, deleteSession: 1 })
  t.same(cookiesSet, { before: 7, compat: 2, after: 2 })
  t.ok(old.writes >= 7, `${old.writes} writes`)
})

t.test('a slow request that outlasts sign-out brings an old session back, and none of gosesh', async (t) => {
  for (const { app, lives } of [
    { app: await documentedApp(t, 'Before', new OldStore()), lives: true },
    { app: await documentedApp(t, 'every route stays', new WatchedStore()), lives: false },
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

t.test('the cart of a visitor comes along to the user who signs in', async (t) => {
  const app = await documentedApp(t, 'takes along', new MemoryStore(), { app: Fastify() })
  const visitor = new Visitor()
  await visitor.send(app, 'POST', '/cart', { item: 'tea' })
  t.same((await visitor.send(app, 'POST', '/cart', { item: 'milk' })).json(), ['tea', 'milk'])
  await visitor.send(app, 'POST', '/login', { user: 'ada' })
  t.same(Object.keys(visitor.cookies), ['__Host-session'])
  t.same((await visitor.send(app, 'GET', '/cart')).json(), ['tea', 'milk'])
})

t.test('with gosesh/compat the data comes along too, signed in or not', async (t) => {
  const old = new OldStore()
  const before = await documentedApp(t, 'Before', old)
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(goseshAfterFastifySession, {
    old: {
      store: old,
      secret,
      userIdOf: (session) => session.userId,
      signInOptionsOf: (session) => ({ metadata: { role: session.role } }),
    },
    decorateAs: 'signInSession',
    visitors: {},
  })
  app.register(builtCompat)
  app.get('/data', async (request) => {
    const { signInSession } = request as unknown as { signInSession: Session | null }
    const data = { ...(request.session as object | null) }
    return { data, userId: signInSession?.userId, role: signInSession?.metadata?.role }
  })
  before.get(
    '/cart',
    async (request) => Object.assign(request.session as object, { cart: ['tea'] }) && 'kept',
  )

  const [ada, visitor] = [new Visitor(), new Visitor()]
  await ada.send(before, 'POST', '/login', { user: 'ada' })
  await ada.send(before, 'POST', '/theme', { theme: 'dark' })
  await visitor.send(before, 'GET', '/cart')
  const adas = { data: { userId: 'ada', role: 'editor', theme: 'dark' }, userId: 'ada', role: 'editor' }
  t.same((await ada.send(app, 'GET', '/data')).json(), adas, 'from the very first request')
  t.same((await ada.send(app, 'GET', '/data')).json(), adas)
  t.same(Object.keys(ada.cookies), ['__Host-session'])
  t.same((await visitor.send(app, 'GET', '/data')).json(), { data: { cart: ['tea'] } })
  t.same((await visitor.send(app, 'GET', '/data')).json(), { data: { cart: ['tea'] } })
  t.same(Object.keys(visitor.cookies), ['__Host-visitor'])
})

t.test('an old sign-in that was confirmed since counts from then', async (t) => {
  const old = new OldStore()
  const visitor = await signedInBefore(t, old)
  const [createdAt, authenticatedAt] = [48 * 3_600_000, 60_000].map((ago) => new Date(Date.now() - ago))
  const options = { createdAt, authenticatedAt, factors: ['pwd'] } as SignInOptions
  const app = newApp(t, old, {}, { signInOptionsOf: () => options })
  const session = (await visitor.send(app, 'GET', '/me')).json()
  t.match(session, { createdAt: createdAt?.toJSON(), authenticatedAt: authenticatedAt?.toJSON() })
  t.match(session, { factors: [{ method: 'pwd', at: authenticatedAt?.toJSON() }] })
  t.equal(Date.parse(session.absoluteDeadline) - Number(authenticatedAt), 86_400_000)
})
