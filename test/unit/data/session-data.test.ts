import t from 'tap'
import { cookieCredential, type SessionDataAccess } from '../../../lib/index.js'
import { buildApp, signIn } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'

type Work = (data: SessionDataAccess) => Promise<unknown>

/** An application whose route `/work` does with the data of its request what the test gives it. */
function setUp(t: Parameters<typeof buildApp>[0], options: Parameters<typeof buildApp>[1] = {}) {
  const time = { now: Date.parse('2030-01-01T00:00:00Z') }
  const store = new WatchedStore()
  const app = buildApp(t, { store, clock: { now: () => time.now }, ...options })
  let work: Work = async () => {}
  app.post('/work', async (request) => ({ result: await work(request.sessionData) }))
  const run = async (cookie: string | null, next: Work) => {
    work = next
    const headers = cookie === null ? {} : { cookie }
    return await app.inject({ method: 'POST', url: '/work', headers })
  }
  return { app, store, time, run }
}

t.test('request.sessionData', async (t) => {
  t.test('sets, reads and deletes key by key', async (t) => {
    const { app, run } = setUp(t)
    const { cookie } = await signIn(app)
    const response = await run(cookie, async (data) => {
      await data.set('cart', [{ id: 1 }])
      await data.set('notice', 'saved')
      t.same(await data.get('cart'), [{ id: 1 }])
      t.equal(await data.get('absent'), undefined)
      t.same(await data.all(), { cart: [{ id: 1 }], notice: 'saved' })
      await data.delete('cart')
      await data.delete('absent')
      return await data.all()
    })
    t.same(response.json(), { result: { notice: 'saved' } })
    const later = await run(cookie, (data) => data.get('notice'))
    t.same(later.json(), { result: 'saved' }, 'the next request sees it')
  })

  t.test('update computes from the value that is there, again if somebody else came first', async (t) => {
    const { app, run } = setUp(t)
    const { cookie } = await signIn(app)
    const count = (data: SessionDataAccess) => data.update('count', (old = 0) => Number(old) + 1)
    t.same((await run(cookie, count)).json(), { result: 1 })
    const many = await run(cookie, async (data) => {
      await Promise.all(Array.from({ length: 9 }, () => count(data)))
      return await data.get('count')
    })
    t.same(many.json(), { result: 10 })
    const deleted = await run(cookie, async (data) => {
      t.equal(await data.update('count', async () => undefined), undefined)
      return await data.all()
    })
    t.same(deleted.json(), { result: {} })
  })

  t.test('take gives the value to one caller', async (t) => {
    const { app, run } = setUp(t)
    const { cookie } = await signIn(app)
    const response = await run(cookie, async (data) => {
      await data.set('notice', 'saved')
      const taken = await Promise.all([1, 2, 3].map(() => data.take('notice')))
      return taken.filter((value) => value !== undefined)
    })
    t.same(response.json(), { result: ['saved'] })
  })

  t.test('two requests that set different keys both stay', async (t) => {
    const { app, run, store } = setUp(t)
    const { cookie } = await signIn(app)
    const release = store.hold('writeData')
    const slow = run(cookie, (data) => data.set('a', 1))
    await new Promise((resolve) => setTimeout(resolve, 5))
    store.off('writeData')
    await run(cookie, (data) => data.set('b', 2))
    release()
    t.equal((await slow).statusCode, 200)
    t.same((await run(cookie, (data) => data.all())).json(), { result: { a: 1, b: 2 } })
  })

  t.test('a request that uses none makes no call of the store for it', async (t) => {
    const { app, store } = setUp(t)
    const { cookie } = await signIn(app)
    store.reset()
    await app.inject({ url: '/me', headers: { cookie } })
    t.same(store.counts, { getSession: 1 })
  })

  t.test('without a session it is empty, and a write is 401', async (t) => {
    const { run, store } = setUp(t)
    t.same((await run(null, (data) => data.all())).json(), { result: {} })
    t.same((await run(null, (data) => data.get('a'))).json(), {})
    for (const work of [
      (data: SessionDataAccess) => data.set('a', 1),
      (data: SessionDataAccess) => data.delete('a'),
      (data: SessionDataAccess) => data.update('a', () => 1),
      (data: SessionDataAccess) => data.take('a'),
    ]) {
      t.match((await run(null, work)).json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
    }
    t.same(store.counts, {}, 'and asks the store nothing')
  })

  t.test('a session that ended meanwhile rejects with 401, an expired one too', async (t) => {
    const { app, run, time } = setUp(t)
    for (const [end, name] of [
      [(id: string) => app.gosesh.deleteSession(id), 'deleted'],
      [
        async () => {
          time.now += 31 * 60_000
        },
        'expired',
      ],
    ] as const) {
      for (const work of [
        (data: SessionDataAccess) => data.get('a'),
        (data: SessionDataAccess) => data.all(),
        (data: SessionDataAccess) => data.set('a', 1),
        (data: SessionDataAccess) => data.take('a'),
        (data: SessionDataAccess) => data.update('a', () => 2),
      ]) {
        const { cookie, session } = await signIn(app)
        const response = await run(cookie, async (data) => {
          await end(session.id)
          return await work(data)
        })
        t.match(response.json(), { statusCode: 401 }, name)
      }
    }
  })

  t.test('one that ends between the look at it and the read is 401 too', async (t) => {
    const { app, run, store } = setUp(t)
    const { cookie } = await signIn(app)
    store.on('readData', async () => null)
    for (const work of [
      (data: SessionDataAccess) => data.get('a'),
      (data: SessionDataAccess) => data.update('a', () => 1),
    ]) {
      t.equal((await run(cookie, work)).statusCode, 401)
    }
  })

  t.test(
    'a request whose session was near its deadline goes on as its activity keeps it alive',
    async (t) => {
      const { app, run, time } = setUp(t, { activityTracking: {} })
      const { cookie } = await signIn(app)
      time.now += 30 * 60_000 - 1
      const response = await run(cookie, async (data) => {
        time.now += 1_000
        await data.set('a', 1)
        return await data.get('a')
      })
      t.same(response.json(), { result: 1 })
    },
  )

  t.test('after signIn and signOut on the reply it is that of the new session, and of none', async (t) => {
    const { app } = setUp(t)
    app.post('/in', async (request, reply) => {
      const session = await reply.signIn('ada')
      await request.sessionData.set('notice', 'welcome')
      const data = await app.gosesh.sessionData(session.id).all()
      await reply.signOut()
      t.equal(await request.sessionData.get('notice'), undefined)
      await t.rejects(request.sessionData.set('a', 1), { code: 'GOSESH_ERR_UNAUTHENTICATED' })
      return data
    })
    const { cookie } = await signIn(app)
    t.same((await app.inject({ method: 'POST', url: '/in', headers: { cookie } })).json(), {
      notice: 'welcome',
    })
  })

  t.test('is kept by a re-authentication, and ends with the session', async (t) => {
    const { app, run, store } = setUp(t, { credentials: [cookieCredential({ idleTimeout: null })] })
    const { cookie, session } = await signIn(app)
    await run(cookie, (data) => data.set('a', 1))
    const confirmed = await app.inject({ method: 'POST', url: '/confirm', headers: { cookie }, body: {} })
    const [{ name, value } = { name: '', value: '' }] = confirmed.cookies
    t.same((await run(`${name}=${value}`, (data) => data.all())).json(), { result: { a: 1 } })
    await app.inject({ method: 'POST', url: '/logout', headers: { cookie: `${name}=${value}` } })
    t.equal(await store.readData(session.id, null), null)
  })
})

t.test('bad input', async (t) => {
  const { app, run } = setUp(t, { data: { maxValueLength: 20, maxKeys: 2 } })
  const { cookie } = await signIn(app)
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  for (const [work, expected] of [
    [(data) => data.set('a', undefined), { code: 'GOSESH_ERR_DATA_VALUE', statusCode: 500 }],
    [(data) => data.set('a', () => {}), { code: 'GOSESH_ERR_DATA_VALUE', message: /it is function/ }],
    [(data) => data.set('a', cycle), { code: 'GOSESH_ERR_DATA_VALUE', message: /circular/ }],
    [(data) => data.set('a', 1n), { code: 'GOSESH_ERR_DATA_VALUE', message: /BigInt/ }],
    [
      (data) => data.set('a', 'x'.repeat(19)),
      { code: 'GOSESH_ERR_DATA_TOO_LARGE', statusCode: 413, message: /21 characters/ },
    ],
    [
      (data) => data.update('a', () => 'x'.repeat(1_000_000)),
      { code: 'GOSESH_ERR_DATA_TOO_LARGE', statusCode: 413 },
    ],
    [(data) => data.set('', 1), { code: 'GOSESH_ERR_DATA_KEY', statusCode: 400 }],
    [(data) => data.set('x'.repeat(65), 1), { code: 'GOSESH_ERR_DATA_KEY', statusCode: 400 }],
    [(data) => data.get('x'.repeat(1_000)), { code: 'GOSESH_ERR_DATA_KEY', statusCode: 400 }],
    [(data) => data.take('\ud800'), { code: 'GOSESH_ERR_DATA_KEY', statusCode: 400 }],
    [(data) => data.set(7 as never, 1 as never), { code: 'GOSESH_ERR_DATA_KEY', statusCode: 500 }],
  ] as [Work, object][]) {
    t.match((await run(cookie, work)).json(), expected)
  }
  t.same((await run(cookie, (data) => data.all())).json(), { result: {} }, 'nothing was kept')
  const full = await run(cookie, async (data) => {
    await data.set('👍'.repeat(64), 1)
    await data.set('__proto__', 2)
    t.same(Object.keys(await data.all()).length, 2)
    await data.set('c', 3)
  })
  t.match(full.json(), { code: 'GOSESH_ERR_DATA_TOO_LARGE', statusCode: 413, message: /has 2 keys of data/ })
})

t.test('a store that fails', async (t) => {
  t.test('is 503, and a write is there or it is not', async (t) => {
    const { app, store, run } = setUp(t)
    const { cookie } = await signIn(app)
    for (const [method, work] of [
      ['writeData', (data: SessionDataAccess) => data.set('a', 1)],
      ['readData', (data: SessionDataAccess) => data.get('a')],
      ['swapData', (data: SessionDataAccess) => data.update('a', () => 2)],
    ] as const) {
      store.fail(method)
      t.match((await run(cookie, work)).json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
      store.off(method)
    }
    t.same((await run(cookie, (data) => data.all())).json(), { result: {} })
  })

  t.test('because others change the value all the time is 503 after ten tries', async (t) => {
    const { app, store, run } = setUp(t)
    const { cookie } = await signIn(app)
    store.on('swapData', async () => 'conflict')
    t.match((await run(cookie, (data) => data.update('a', () => 1))).json(), { statusCode: 503 })
    t.equal(store.counts.swapData, 10)
  })

  t.test('because it keeps no data names the method', async (t) => {
    const { app, store, run } = setUp(t)
    Object.defineProperty(store, 'readData', { value: undefined })
    const { cookie } = await signIn(app)
    t.match((await run(cookie, (data) => data.get('a'))).json(), {
      code: 'GOSESH_ERR_STORE_CAPABILITY',
      message: 'request.sessionData needs a store with the method readData',
    })
  })

  t.test('because a value was broken by hand is 503, without the value', async (t) => {
    const { app, store, run } = setUp(t)
    const { cookie, session } = await signIn(app)
    await store.writeData(session.id, new Map([['a', '{secret']]), { maxKeys: 1 })
    const response = await run(cookie, (data) => data.get('a'))
    t.match(response.json(), { statusCode: 503, message: /a stored value is not readable/ })
    t.notOk(response.body.includes('secret'))
  })
})

t.test('app.gosesh.sessionData is for code without a request', async (t) => {
  const { app, store, time } = setUp(t)
  await app.ready()
  const { session } = await app.gosesh.createSession('ada', { idleTimeout: 60_000 })
  const data = app.gosesh.sessionData(session.id)
  await data.set('a', { b: 1 })
  t.same(await data.get('a'), { b: 1 })
  t.equal(store.counts.getSession, 2, 'one read more for each call')
  time.now += 60_000
  for (const ended of [data, app.gosesh.sessionData('nonsense'), app.gosesh.sessionData('x'.repeat(22))]) {
    await t.rejects(ended.get('a'), { code: 'GOSESH_ERR_UNAUTHENTICATED' })
    await t.rejects(ended.set('a', 1), { code: 'GOSESH_ERR_UNAUTHENTICATED' })
  }
})

t.test('a wrong option data fails at start-up', async (t) => {
  for (const [data, message] of [
    [{ maxKeys: 0 }, /^Option data.maxKeys is 0; expected a whole number, 1 or more/],
    [{ maxValueLength: '1' }, /^Option data.maxValueLength is '1'/],
    [{ max: 1 }, /^Option data.max is .*; expected no such option; known are maxValueLength, maxKeys/],
    [7, /^Option data is 7; expected an object/],
  ] as const) {
    const app = buildApp(t, { data: data as never })
    await t.rejects(Promise.resolve(app.ready()), { code: 'GOSESH_ERR_OPTION', message })
  }
})
