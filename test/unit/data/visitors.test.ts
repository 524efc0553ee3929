import t from 'tap'
import { secretHashOf } from '../../../lib/core/token.js'
import { MemoryStore, type SessionDataAccess, type SessionId, type SessionToken } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'

type Work = (data: SessionDataAccess) => Promise<unknown>
const day = 86_400_000

function setUp(t: Parameters<typeof buildApp>[0], options: Parameters<typeof buildApp>[1] = {}) {
  const time = { now: Date.parse('2030-01-01T00:00:00Z') }
  const store = new WatchedStore()
  const app = buildApp(t, { store, clock: { now: () => time.now }, visitors: {}, ...options })
  let work: Work = async () => {}
  app.post('/work', async (request) => ({ result: await work(request.sessionData) }))
  app.get('/work', async (request) => ({ result: await work(request.sessionData) }))
  app.get('/late', async (request, reply) => {
    await reply.send({})
    await work(request.sessionData)
  })
  app.post<{ Body: { carry?: string[] } }>('/enter', async (request, reply) =>
    reply.signIn('ada', { ...(request.body?.carry && { carry: request.body.carry }) }),
  )
  const setWork = (next: Work) => {
    work = next
  }
  const run = async (cookie: string | null, next: Work, headers: Record<string, string> = {}) => {
    setWork(next)
    return await app.inject({
      method: 'POST',
      url: '/work',
      headers: { ...(cookie !== null && { cookie }), ...headers },
    })
  }
  return { app, store, time, run, setWork }
}

t.test('a visitor', async (t) => {
  t.test('begins with the first write, which sets a cookie; reading creates nothing', async (t) => {
    const { run, store, app } = setUp(t)
    const read = await run(null, async (data) => [
      await data.get('cart'),
      await data.all(),
      await data.take('x'),
    ])
    t.equal(read.headers['set-cookie'], undefined)
    t.same(store.counts, {})
    const written = await run(null, (data) => data.set('cart', [1]))
    t.match(
      written.headers['set-cookie'],
      /^__Host-visitor=[\w-]{22}\.[\w-]{43}; Max-Age=34560000; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    )
    t.equal(written.headers['cache-control'], 'no-store')
    t.same(store.counts, { createSession: 1 })
    const cookie = cookieOf(written)
    t.same((await run(cookie, (data) => data.all())).json(), { result: { cart: [1] } })
    t.equal(await whoami(app, cookie), null, 'and is nobody')
  })

  t.test('is made once for all the first writes of a request', async (t) => {
    const { run, store } = setUp(t)
    const response = await run(null, async (data) => {
      await Promise.all([data.set('a', 1), data.set('b', 2), data.update('n', (old = 0) => Number(old) + 1)])
      await data.update('n', (old = 0) => Number(old) + 1)
      return await data.all()
    })
    t.equal(store.counts.createSession, 1)
    t.same(response.json(), { result: { a: 1, b: 2, n: 2 } })
  })

  t.test('lives on by writing, at most once a refresh interval, and not by reading', async (t) => {
    const { run, store, time } = setUp(t)
    const cookie = cookieOf(await run(null, (data) => data.set('a', 1)))
    time.now += 30_000
    t.equal((await run(cookie, (data) => data.set('a', 2))).headers['set-cookie'], undefined)
    time.now += 6 * day
    t.equal((await run(cookie, (data) => data.get('a'))).headers['set-cookie'], undefined)
    t.notOk(store.counts.extendSession)
    const again = await run(cookie, (data) => data.set('a', 3))
    t.equal(cookieOf(again), cookie)
    t.equal(store.counts.extendSession, 1)
    time.now += 6 * day
    t.same((await run(cookie, (data) => data.get('a'))).json(), { result: 3 })
    time.now += 2 * day
    t.same((await run(cookie, (data) => data.get('a'))).json(), {}, 'and ends a week after the last write')
    const fresh = await run(cookie, (data) => data.set('a', 4))
    t.not(cookieOf(fresh), cookie)
  })

  t.test('that was swept before its write begins anew', async (t) => {
    const { run, store, time } = setUp(t)
    const cookie = cookieOf(await run(null, (data) => data.set('a', 1)))
    time.now += day
    store.on('extendSession', async () => false)
    const response = await run(cookie, (data) => data.set('b', 2))
    t.not(cookieOf(response), cookie)
    t.same((await run(cookieOf(response), (data) => data.all())).json(), { result: { b: 2 } })
  })

  t.test('lives on by a write after the reply was sent, which sets no cookie', async (t) => {
    const { app, run, store, time, setWork } = setUp(t)
    const cookie = cookieOf(await run(null, (data) => data.set('a', 1)))
    time.now += day
    setWork((data) => data.set('a', 2))
    const late = await app.inject({ url: '/late', headers: { cookie } })
    t.equal(late.headers['set-cookie'], undefined)
    t.equal(store.counts.extendSession, 1)
    t.same((await run(cookie, (data) => data.get('a'))).json(), { result: 2 })
  })

  t.test('without an idle limit ends at its absolute deadline', async (t) => {
    const { run, store, time } = setUp(t)
    const cookie = cookieOf(await run(null, (data) => data.set('a', 1)))
    store.on('getSession', async (proceed) => ({
      ...((await proceed()) as object),
      idleTimeout: null,
      idleDeadline: null,
    }))
    time.now += 300 * day
    t.same((await run(cookie, (data) => data.get('a'))).json(), { result: 1 })
    time.now += 100 * day
    t.same((await run(cookie, (data) => data.get('a'))).json(), {})
  })

  t.test('is read once for a request, and not at all if the handler asks for no data', async (t) => {
    const { run, store, app } = setUp(t)
    const cookie = cookieOf(await run(null, (data) => data.set('a', 1)))
    store.reset()
    await app.inject({ url: '/whoami', headers: { cookie } })
    t.same(store.counts, {})
    await run(cookie, async (data) => [await data.get('a'), await data.get('b'), await data.all()])
    t.same(store.counts, { getSession: 1, readData: 3 })
  })

  t.test('signs nobody in: neither cookie is good as the other', async (t) => {
    const { run, app, store } = setUp(t)
    const visitor = cookieOf(await run(null, (data) => data.set('a', 1)))
    const { cookie } = await signIn(app)
    const [asSession, asVisitor] = [
      visitor.replace('__Host-visitor', '__Host-session'),
      cookie.replace('__Host-session', '__Host-visitor'),
    ]
    t.equal(await whoami(app, asSession), null)
    for (const url of ['/me', '/confirm', '/logout', '/login']) {
      await app.inject({ method: url === '/me' ? 'GET' : 'POST', url, headers: { cookie: asSession } })
    }
    t.same((await run(visitor, (data) => data.get('a'))).json(), { result: 1 }, 'nothing ended it')
    t.same((await run(asVisitor, (data) => data.all())).json(), { result: {} })
    t.ok(await whoami(app, cookie))
    t.equal((await app.gosesh.listUserSessions('ada')).length, 2, 'those of the two sign-ins')
    const id = visitor.slice('__Host-visitor='.length).slice(0, 22)
    t.equal(await app.gosesh.getSession(id), null)
    const asOfSession = secretHashOf(visitor.slice('__Host-visitor='.length) as SessionToken)
    t.not((await store.getSession(id as SessionId))?.secretHash, asOfSession, 'the hash has another purpose')
    await t.rejects(app.gosesh.sessionData(id).all(), { code: 'GOSESH_ERR_UNAUTHENTICATED' })
    t.same((await run(`__Host-visitor=${id}.${'x'.repeat(43)}`, (data) => data.all())).json(), { result: {} })
  })

  t.test('is not written by a page of another origin, even of the same site', async (t) => {
    const { run } = setUp(t)
    const cookie = cookieOf(await run(null, (data) => data.set('cart', [1])))
    const foreign: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
    ]
    for (const headers of foreign) {
      const planted = await run(cookie, (data) => data.set('cart', ['planted']), headers)
      t.match(planted.json(), { statusCode: 403, code: 'GOSESH_ERR_CROSS_ORIGIN' })
      t.equal((await run(cookie, (data) => data.take('cart'), headers)).statusCode, 403)
    }
    t.same((await run(cookie, (data) => data.get('cart'))).json(), { result: [1] })
  })

  t.test('is in nobody’s cache: an answer that depends on its data says so', async (t) => {
    const { app, run } = setUp(t)
    const cookie = cookieOf(await run(null, (data) => data.set('cart', [1])))
    for (const headers of [{ cookie }, {}]) {
      await run(null, async (data) => await data.get('cart'))
      const response = await app.inject({ url: '/work', headers })
      t.match(response.headers, { 'cache-control': 'no-store', vary: 'Cookie' })
    }
    t.equal((await app.inject('/whoami')).headers['cache-control'], undefined)
  })

  t.test('is not begun by a page of another origin, nor after the reply was sent', async (t) => {
    const { run, store, app, setWork } = setUp(t)
    const planted = await run(null, (data) => data.set('cart', ['planted']), {
      origin: 'https://evil.example',
    })
    t.match(planted.json(), { statusCode: 403, code: 'GOSESH_ERR_CROSS_ORIGIN' })
    setWork((data) => t.rejects(data.set('a', 1), { code: 'GOSESH_ERR_REPLY_SENT' }))
    await app.inject('/late')
    t.notOk(store.counts.createSession)
  })

  t.test('is 503 if the store fails, and the next write begins anew', async (t) => {
    const { run, store } = setUp(t)
    store.fail('createSession')
    const failed = await run(null, (data) => data.set('a', 1))
    t.equal(failed.statusCode, 503)
    t.equal(failed.headers['set-cookie'], undefined)
    store.off('createSession')
    t.equal((await run(null, (data) => data.set('a', 1))).statusCode, 200)
  })
})

t.test('signIn with carry', async (t) => {
  const enter = (app: ReturnType<typeof setUp>['app'], cookie: string, carry?: unknown) =>
    app.inject({ method: 'POST', url: '/enter', headers: { cookie }, body: { carry } as object })

  t.test('begins with the keys that are named, and ends the visitor', async (t) => {
    const { app, run } = setUp(t)
    const visitor = cookieOf(
      await run(null, async (data) => {
        await data.set('cart', [1])
        await data.set('planted', 'by somebody else')
      }),
    )
    const response = await enter(app, visitor, ['cart', 'absent'])
    t.equal(response.statusCode, 200)
    const session = response.cookies.find(({ name }) => name === '__Host-session')
    t.match(response.cookies, [{}, { name: '__Host-visitor', value: '' }])
    const cookie = `__Host-session=${session?.value}`
    t.same((await run(cookie, (data) => data.all())).json(), { result: { cart: [1] } })
    t.same((await run(visitor, (data) => data.all())).json(), { result: {} }, 'the visitor has ended')
  })

  t.test('without it nothing is carried over, and never from the session that is replaced', async (t) => {
    const { app, run } = setUp(t)
    const visitor = cookieOf(await run(null, (data) => data.set('cart', [1])))
    const first = await enter(app, visitor)
    const cookie = cookieOf(first)
    t.same((await run(cookie, (data) => data.all())).json(), { result: {} })
    await run(cookie, (data) => data.set('cart', ['of the session']))
    const second = await enter(app, `${cookie}; ${visitor}`, ['cart'])
    const next = second.cookies.find(({ name }) => name === '__Host-session')
    const all = await run(`__Host-session=${next?.value}`, (data) => data.all())
    t.same(all.json(), { result: { cart: [1] } }, 'that of the visitor')
  })

  t.test('carries nothing over from a visitor that ends meanwhile', async (t) => {
    const { app, run, store } = setUp(t)
    const visitor = cookieOf(await run(null, (data) => data.set('cart', [1])))
    store.on('readData', async () => null)
    const response = await enter(app, visitor, ['cart'])
    store.off('readData')
    t.equal(response.statusCode, 200)
    const cookie = `__Host-session=${response.cookies[0]?.value}`
    t.same((await run(cookie, (data) => data.all())).json(), { result: {} })
  })

  t.test('a failure leaves the visitor', async (t) => {
    const { app, run, store } = setUp(t)
    const visitor = cookieOf(await run(null, (data) => data.set('cart', [1])))
    store.fail('createSession')
    t.equal((await enter(app, visitor, ['cart'])).statusCode, 503)
    store.off('createSession')
    t.same((await run(visitor, (data) => data.get('cart'))).json(), { result: [1] })
  })

  t.test('without a visitor it is an ordinary sign-in; wrong ones say what is right', async (t) => {
    const { app } = setUp(t)
    t.equal((await enter(app, '', ['cart'])).statusCode, 200)
    t.match((await enter(app, '', 'cart')).json(), {
      message: /^Option signIn.carry is 'cart'; expected an array/,
    })
    t.match((await enter(app, '', [''])).json(), { code: 'GOSESH_ERR_DATA_KEY' })
    const without = setUp(t, { visitors: false })
    t.match((await enter(without.app, '', ['cart'])).json(), { message: /with the option visitors/ })
  })
})

t.test('visitors have room of their own in memory', async (t) => {
  const store = new MemoryStore({ maxSessions: 1, maxVisitors: 2 })
  const { app, run } = setUp(t, { store })
  const statuses: number[] = []
  for (let i = 0; i < 4; i++) statuses.push((await run(null, (data) => data.set('a', 1))).statusCode)
  t.same(statuses, [200, 200, 503, 503])
  await signIn(app)
  await t.rejects(app.gosesh.createSession('bo'), { code: 'GOSESH_ERR_STORE_FULL' })
  await app.gosesh.deleteAllSessions()
  t.equal((await run(null, (data) => data.set('a', 1))).statusCode, 200)
})
