import type { FastifyReply } from 'fastify'
import t from 'tap'
import { MemoryStore } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { settle } from '../../tools/clock.js'
import { WatchedStore } from '../../tools/store.js'

t.test('signIn', async (t) => {
  t.test('begins a new session and deletes the one that the cookie presented', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const first = await signIn(app)
    const again = await app.inject({
      method: 'POST',
      url: '/login',
      headers: { cookie: first.cookie },
      body: {},
    })
    t.equal(again.statusCode, 200)
    t.equal(await store.getSession(first.session.id), null)
    t.equal(await whoami(app, first.cookie), null)
    t.not(cookieOf(again), first.cookie)
    t.ok(await whoami(app, cookieOf(again)))
  })

  t.test('keeps metadata and lifetimes with the session', async (t) => {
    const app = buildApp(t)
    const metadata = { device: 'phone "of" Ada 🚀', constructor: 'x' }
    const { cookie, session } = await signIn(app, { metadata, idleTimeout: null, absoluteTimeout: 60_000 })
    t.match(session, { idleTimeout: null, idleDeadline: null })
    t.same((await whoami(app, cookie))?.metadata, metadata)
  })

  t.test('refuses bad input with a code, and sets no cookie', async (t) => {
    const app = buildApp(t)
    app.post('/raw', async (request, reply) => {
      const [userId, options] = request.body as [string, object | undefined]
      return await reply.signIn(userId, options)
    })
    const big = { text: 'x'.repeat(4_096) }
    for (const [body, code, statusCode] of [
      [[], 'GOSESH_ERR_USER_ID', 500],
      [[null], 'GOSESH_ERR_USER_ID', 500],
      [[7], 'GOSESH_ERR_USER_ID', 500],
      [[{}], 'GOSESH_ERR_USER_ID', 500],
      [[''], 'GOSESH_ERR_USER_ID', 400],
      [['a\0b'], 'GOSESH_ERR_USER_ID', 400],
      [['x'.repeat(1_001)], 'GOSESH_ERR_USER_ID', 400],
      [['🚀'.repeat(1_001)], 'GOSESH_ERR_USER_ID', 400],
      [['\ud800'], 'GOSESH_ERR_USER_ID', 400],
      [['ada', { metadata: big }], 'GOSESH_ERR_METADATA', 400],
      [['ada', { metadata: { n: 1 } }], 'GOSESH_ERR_METADATA', 500],
      [['ada', { metadata: ['a'] }], 'GOSESH_ERR_METADATA', 500],
      [['ada', { allowCrossOrigin: 'false' }], 'GOSESH_ERR_OPTION', 500],
      [['ada', { metadata: 'a' }], 'GOSESH_ERR_METADATA', 500],
      [['ada', { metadata: { a: '\0' } }], 'GOSESH_ERR_METADATA', 400],
      [['ada', { idleTimeout: 0 }], 'GOSESH_ERR_OPTION', 500],
      [['ada', { absoluteTimeout: '1h' }], 'GOSESH_ERR_OPTION', 500],
      [['ada', { idleTimeout: 2, absoluteTimeout: 1 }], 'GOSESH_ERR_OPTION', 500],
      [['ada', { idle: 2 }], 'GOSESH_ERR_OPTION', 500],
    ] as const) {
      const response = await app.inject({ method: 'POST', url: '/raw', body: body as never })
      t.match(response.json(), { code, statusCode }, JSON.stringify(body).slice(0, 60))
      t.equal(response.headers['set-cookie'], undefined)
    }
    for (const userId of ['x'.repeat(1_000), '🚀'.repeat(1_000), '__proto__', 'constructor', `{a}:"'*`]) {
      const response = await app.inject({ method: 'POST', url: '/raw', body: [userId] as never })
      t.equal(response.json().userId, userId)
    }
    t.same(
      await app
        .inject({ method: 'POST', url: '/raw', body: ['ada', { metadata: null }] as never })
        .then((r) => r.json().metadata),
      null,
    )
  })

  t.test('on one reply: the last call stands, with one Set-Cookie and no orphan', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const calls: Record<string, (reply: FastifyReply) => Promise<unknown>> = {
      '/in-in': async (reply) => {
        await reply.signIn('ada')
        return await reply.signIn('bo')
      },
      '/at-once': (reply) => Promise.all([reply.signIn('ada'), reply.signIn('bo')]),
      '/in-out': async (reply) => {
        await reply.signIn('ada')
        await reply.signOut()
      },
      '/in-out-everywhere': async (reply) => {
        await reply.signIn('ada')
        await reply.signOut({ everywhere: true })
      },
      '/out-in': async (reply) => {
        await reply.signOut()
        return await reply.signIn('bo')
      },
      '/out-out': async (reply) => {
        await reply.signOut()
        await reply.signOut()
      },
    }
    for (const [url, call] of Object.entries(calls)) {
      app.post(url, async (_request, reply) => {
        await call(reply)
        return {}
      })
    }
    for (const url of Object.keys(calls)) {
      await app.ready()
      await app.gosesh.deleteAllSessions()
      const before = await signIn(app, { user: 'old' })
      const response = await app.inject({ method: 'POST', url, headers: { cookie: before.cookie } })
      t.equal(response.cookies.length, 1, url)
      const users = await Promise.all(['old', 'ada', 'bo'].map((user) => app.gosesh.listUserSessions(user)))
      const endsSignedIn = !url.includes('in-out') && url !== '/out-out'
      t.same(
        users.map((sessions) => sessions.length),
        endsSignedIn ? [0, 0, 1] : [0, 0, 0],
        url,
      )
      if (endsSignedIn) t.equal((await whoami(app, cookieOf(response)))?.userId, 'bo')
      else t.match(response.cookies, [{ value: '', maxAge: 0 }], url)
    }
  })

  t.test('if the creation fails: 503, no cookie, and the new session is deleted', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, storeTimeout: 50 })
    const { cookie } = await signIn(app)
    store.on('createSession', async (proceed) => {
      await proceed()
      throw new Error('connection lost after the commit')
    })
    const login = { method: 'POST', url: '/login', headers: { cookie }, body: { user: 'bo' } } as const
    const response = await app.inject(login)
    t.match(response.json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    t.equal(response.headers['set-cookie'], undefined)
    await settle()
    t.same(await app.gosesh.listUserSessions('bo'), [])
    t.ok(await whoami(app, cookie), 'still signed in as before')
  })

  t.test('a creation that its client sent twice is an outage, and not a conflict', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    store.on('createSession', async (proceed) => {
      await proceed()
      return await proceed()
    })
    const response = await app.inject({ method: 'POST', url: '/login', body: {} })
    t.match(response.json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    await settle()
    t.same(await app.gosesh.listUserSessions('ada'), [])
  })

  t.test('a creation that lands after the timeout is deleted', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, storeTimeout: 20 })
    const release = store.hold('createSession')
    const response = await app.inject({ method: 'POST', url: '/login', body: {} })
    t.equal(response.statusCode, 503)
    release()
    await settle()
    t.same(store.counts, { createSession: 1, deleteSession: 1 })
    t.same(await app.gosesh.listUserSessions('ada'), [])
  })

  t.test('where the store is full: its own code', async (t) => {
    const app = buildApp(t, { store: new MemoryStore({ maxSessions: 1 }) })
    await signIn(app)
    const response = await app.inject({ method: 'POST', url: '/login', body: {} })
    t.match(response.json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_FULL' })
  })

  t.test('a handler that throws after it: the session stays, and the cookie is sent', async (t) => {
    const app = buildApp(t)
    app.post('/throws', async (_request, reply) => {
      await reply.signIn('ada')
      throw new Error('after')
    })
    const response = await app.inject({ method: 'POST', url: '/throws' })
    t.equal(response.statusCode, 500)
    t.ok(await whoami(app, cookieOf(response)))
  })

  t.test('after the reply was sent, or while it is being sent, rejects and leaves no session', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const outcomes: unknown[] = []
    app.post('/late', async (_request, reply) => {
      await reply.send('sent')
      await reply.signIn('ada').catch((error) => outcomes.push(error))
    })
    app.post('/unawaited', async (_request, reply) => {
      const release = store.hold('createSession')
      outcomes.push(reply.signIn('ada').catch((error) => error))
      reply.raw.once('finish', release)
      return 'sent'
    })
    await app.inject({ method: 'POST', url: '/late' })
    t.same(store.counts, {}, 'nothing was created after the reply')
    await app.inject({ method: 'POST', url: '/unawaited' })
    await settle()
    const errors = await Promise.all(outcomes)
    t.match(errors, [{ code: 'GOSESH_ERR_REPLY_SENT' }, { code: 'GOSESH_ERR_REPLY_SENT' }])
    t.same(await app.gosesh.listUserSessions('ada'), [])
  })

  t.test('on a route with session: false reads the credential itself', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    app.post(
      '/plain/login',
      { config: { session: false } },
      async (_request, reply) => await reply.signIn('bo'),
    )
    app.post('/plain/logout', { config: { session: false } }, async (_request, reply) => {
      await reply.signOut({ everywhere: true })
      return {}
    })
    const before = await signIn(app)
    const response = await app.inject({
      method: 'POST',
      url: '/plain/login',
      headers: { cookie: before.cookie },
    })
    t.equal(await store.getSession(before.session.id), null)
    await signIn(app, { user: 'bo' })
    const headers = { cookie: cookieOf(response) }
    const pending = app.gosesh.activityTracker?.stats.recorded
    const out = await app.inject({ method: 'POST', url: '/plain/logout', headers })
    t.match(out.cookies, [{ value: '' }])
    t.same(await app.gosesh.listUserSessions('bo'), [])
    t.equal(app.gosesh.activityTracker?.stats.recorded, pending, 'signing out is no activity')
  })

  t.test('refuses a cross-origin request of an unsafe method (login CSRF)', async (t) => {
    const app = buildApp(t)
    app.get('/link', async (_request, reply) => await reply.signIn('ada'))
    app.post('/callback', async (_request, reply) => await reply.signIn('ada', { allowCrossOrigin: true }))
    const host = 'app.example'
    for (const [headers, statusCode] of [
      [{}, 200],
      [{ 'sec-fetch-site': 'same-origin' }, 200],
      [{ 'sec-fetch-site': 'none' }, 200],
      [{ 'sec-fetch-site': 'cross-site' }, 403],
      [{ 'sec-fetch-site': 'same-site' }, 403],
      [{ 'sec-fetch-site': 'cross-site', origin: 'http://app.example' }, 403],
      [{ origin: 'http://app.example' }, 200],
      [{ origin: 'https://app.example' }, 403],
      [{ origin: 'http://evil.example' }, 403],
      [{ origin: 'http://app.example.evil.example' }, 403],
      [{ origin: 'null' }, 403],
    ] as const) {
      const response = await app.inject({
        method: 'POST',
        url: '/login',
        body: {},
        headers: { ...headers, host },
      })
      t.equal(response.statusCode, statusCode, JSON.stringify(headers))
      if (statusCode === 403) t.match(response.json(), { code: 'GOSESH_ERR_CROSS_ORIGIN' })
      t.equal(response.headers['set-cookie'] === undefined, statusCode === 403)
    }
    const headers = { 'sec-fetch-site': 'cross-site', origin: 'http://evil.example' }
    t.equal((await app.inject({ url: '/link', headers })).statusCode, 200, 'a safe method is not concerned')
    t.equal(
      (await app.inject({ method: 'POST', url: '/callback', headers })).statusCode,
      200,
      'nor who asks for it',
    )
  })
})
