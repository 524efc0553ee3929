import auth from '@fastify/auth'
import Fastify, { type FastifyReply } from 'fastify'
import t from 'tap'
import gosesh, {
  bearerCredential,
  cookieCredential,
  GoseshError,
  MemoryStore,
  type Session,
  type SessionMetadata,
} from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { fakeTime, settle } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

t.test('request.session', async (t) => {
  t.test('is the session as it stood when the request arrived, pending activity included', async (t) => {
    const time = fakeTime(t)
    const app = buildApp(t, { activityTracking: {} })
    const { cookie, session } = await signIn(app)
    const signedInAt = time.now()
    await time.advance(1_000)
    t.match(await whoami(app, cookie), { ...session, lastActivityAt: new Date(signedInAt).toISOString() })
    await time.advance(1_000)
    t.match(await whoami(app, cookie), {
      lastActivityAt: new Date(signedInAt + 1_000).toISOString(),
      idleDeadline: new Date(signedInAt + 1_000 + 30 * 60_000).toISOString(),
    })
  })

  t.test('is frozen, its metadata too, wherever it comes from', async (t) => {
    for (const activityTracking of [{}, false] as const) {
      const app = buildApp(t, { activityTracking })
      const sessions: (Session | null | undefined)[] = []
      app.get('/change', async (request) => {
        sessions.push(request.session)
        t.throws(() => Object.assign(request.session as object, { userId: 'root' }), TypeError)
        return request.requireSession().userId
      })
      const { cookie, session } = await signIn(app, { metadata: { role: 'user' } })
      await whoami(app, cookie)
      t.equal((await app.inject({ url: '/change', headers: { cookie } })).body, 'ada')
      sessions.push(await app.gosesh.getSession(session.id), ...(await app.gosesh.listUserSessions('ada')))
      for (const shown of sessions) {
        t.ok(Object.isFrozen(shown) && Object.isFrozen(shown?.metadata))
        t.same(shown?.metadata, { role: 'user' })
      }
    }
  })

  t.test('is null without a session, and on a route with session: false', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    t.equal((await app.inject('/whoami')).json().session, null)
    const { cookie } = await signIn(app)
    store.reset()
    t.equal(await whoami(app, cookie, '/health'), null)
    t.same(store.counts, {})
  })

  t.test('is there in a handler for what is not found', async (t) => {
    const app = buildApp(t)
    app.setNotFoundHandler(async (request, reply) =>
      reply.code(404).send({ user: request.session?.userId ?? null }),
    )
    const { cookie } = await signIn(app)
    t.same((await app.inject({ url: '/nowhere', headers: { cookie } })).json(), { user: 'ada' })
    t.same((await app.inject('/nowhere')).json(), { user: null })
  })

  t.test('a route with activity: false does not keep the session alive', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    const { cookie } = await signIn(app)
    t.ok(await whoami(app, cookie, '/poll'))
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
  })
})

t.test('the guards answer 401 without a session', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh)
  await app.register(auth)
  app.post('/login', async (_request, reply) => await reply.signIn('ada'))
  app.get('/config', { config: { session: { required: true } } }, async () => 'in')
  app.get('/method', async (request) => request.requireSession().userId)
  app.get('/hook', { onRequest: app.requireSession }, async () => 'in')
  app.get('/auth', { preHandler: app.auth([app.requireSession]) }, async () => 'in')
  app.register(async (group) => {
    group.addHook('onRequest', app.requireSession)
    group.get('/group', async () => 'in')
  })
  const { cookie } = await signIn(app)
  for (const url of ['/config', '/method', '/hook', '/auth', '/group']) {
    for (const headers of [{}, { cookie: `__Host-session=${'x'.repeat(43)}` }]) {
      const refused = await app.inject({ url, headers })
      t.match(refused.json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' }, url)
    }
    t.equal((await app.inject({ url, headers: { cookie } })).statusCode, 200, url)
  }
})

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

t.test('signOut', async (t) => {
  t.test('deletes the session, then clears the cookie', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const { cookie, session } = await signIn(app)
    const response = await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.match(response.cookies, [{ name: '__Host-session', value: '', maxAge: 0, path: '/', secure: true }])
    t.equal(await store.getSession(session.id), null)
    t.equal(await whoami(app, cookie), null)
  })

  t.test('clears the cookie also where there was no session', async (t) => {
    const app = buildApp(t)
    for (const headers of [{}, { cookie: '__Host-session=nonsense' }]) {
      const response = await app.inject({ method: 'POST', url: '/logout', headers })
      t.equal(response.statusCode, 200)
      t.match(response.cookies, [{ value: '', maxAge: 0 }])
    }
  })

  t.test(
    'does not clear the cookie for a page of another origin, whose request comes without it',
    async (t) => {
      const app = buildApp(t)
      const headers = { 'sec-fetch-site': 'cross-site' }
      const response = await app.inject({ method: 'POST', url: '/logout', headers })
      t.equal(response.headers['set-cookie'], undefined)
    },
  )

  t.test('and signIn on one reply leave none of the sessions that were presented', async (t) => {
    const app = buildApp(t, { credentials: [bearerCredential(), cookieCredential()] })
    app.post('/out-in', async (_request, reply) => {
      await reply.signOut()
      return await reply.signIn('ada')
    })
    app.post('/out-out', async (_request, reply) => {
      await reply.signOut()
      await reply.signOut()
      return {}
    })
    await app.ready()
    for (const [url, sessionsLeft] of [
      ['/out-in', 1],
      ['/out-out', 1],
    ] as const) {
      await app.gosesh.deleteAllSessions()
      const { cookie } = await signIn(app)
      const { token } = await app.gosesh.createSession('ada')
      const headers = { cookie, authorization: `Bearer ${token}` }
      const response = await app.inject({ method: 'POST', url, headers })
      const left = await app.gosesh.listUserSessions('ada')
      t.equal(left.length, sessionsLeft, url)
      const kept = response.cookies[0]?.value === undefined ? cookie : cookieOf(response)
      t.ok(await whoami(app, kept), 'the one that is left is the one whose cookie the browser has')
    }
  })

  t.test('everywhere ends all of the user’s sessions, and nobody else’s', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const [one, two] = [await signIn(app), await signIn(app)]
    const other = await signIn(app, { user: 'bo' })
    store.reset()
    await app.inject({ method: 'POST', url: '/logout-everywhere', headers: { cookie: one.cookie } })
    t.same(store.counts, { getSession: 1, deleteUserSessions: 1, deleteSession: 1 })
    t.same([await whoami(app, one.cookie), await whoami(app, two.cookie)], [null, null])
    t.ok(await whoami(app, other.cookie))
  })

  t.test('everywhere by an expired session ends that one alone', async (t) => {
    let now = 1_900_000_000_000
    const app = buildApp(t, { clock: { now: () => now } })
    const stale = await signIn(app, { idleTimeout: 1_000 })
    const live = await signIn(app)
    now += 2_000
    await app.inject({ method: 'POST', url: '/logout-everywhere', headers: { cookie: stale.cookie } })
    t.ok(await whoami(app, live.cookie))
  })

  t.test(
    'after the reply was sent ends the session all the same, and says that the cookie stays',
    async (t) => {
      const store = new WatchedStore()
      const logger = recordingLogger()
      const app = buildApp(t, { store, logger })
      let out: Promise<void> | undefined
      app.post('/late', async (_request, reply) => {
        await reply.send('sent')
        out = reply.signOut()
      })
      const { cookie, session } = await signIn(app)
      await app.inject({ method: 'POST', url: '/late', headers: { cookie } })
      await out
      t.equal(await store.getSession(session.id), null)
      t.match(logger.above('info'), [{ level: 'warn', message: /credential was not cleared/ }])
    },
  )

  t.test('refuses a page of another origin, also on a route with session: false', async (t) => {
    const app = buildApp(t)
    app.post('/out', { config: { session: false } }, async (_request, reply) => {
      await reply.signOut({ everywhere: true })
      return 'out'
    })
    app.get('/out', { config: { session: false } }, async (_request, reply) => {
      await reply.signOut()
      return 'out'
    })
    const { cookie } = await signIn(app)
    for (const from of [{ 'sec-fetch-site': 'same-site' }, { origin: 'https://sibling.example' }]) {
      const response = await app.inject({ method: 'POST', url: '/out', headers: { cookie, ...from } })
      t.match(response.json(), { statusCode: 403, code: 'GOSESH_ERR_CROSS_ORIGIN' })
      t.notOk(response.headers['set-cookie'])
      t.ok(await whoami(app, cookie))
    }
    const same = { cookie, 'sec-fetch-site': 'same-origin' }
    const link = { cookie, 'sec-fetch-site': 'cross-site' }
    t.equal((await app.inject({ url: '/out', headers: link })).statusCode, 200, 'a GET is let through')
    t.equal(await whoami(app, cookie), null)
    t.equal((await app.inject({ method: 'POST', url: '/out', headers: same })).statusCode, 200)
  })

  t.test('refuses an unknown option', async (t) => {
    const app = buildApp(t)
    app.post('/typo', async (_request, reply) => await reply.signOut({ everwhere: true } as object))
    app.post('/text', async (_request, reply) => await reply.signOut({ everywhere: 'false' } as object))
    for (const url of ['/typo', '/text']) {
      t.match((await app.inject({ method: 'POST', url })).json(), { code: 'GOSESH_ERR_OPTION' })
    }
  })
})

t.test('response headers', async (t) => {
  t.test('a response that shows or changes a session is for nobody else’s cache', async (t) => {
    const app = buildApp(t)
    const { cookie } = await signIn(app)
    const headersOf = async (method: 'GET' | 'POST', url: string, headers: object) => {
      const response = await app.inject({ method, url, headers: { ...headers } })
      return [response.headers['cache-control'], response.headers.vary]
    }
    t.same(await headersOf('GET', '/whoami', { cookie }), ['no-store', 'Cookie'])
    t.same(await headersOf('POST', '/login', {}), ['no-store', 'Cookie'])
    t.same(await headersOf('POST', '/logout', {}), ['no-store', 'Cookie'])
    t.same(await headersOf('GET', '/whoami', {}), [undefined, undefined])
    t.same(await headersOf('GET', '/health', { cookie }), [undefined, undefined])
  })

  t.test('what the handler set stands, and Vary is added to', async (t) => {
    const app = buildApp(t)
    for (const [index, [vary, expected]] of (
      [
        ['Accept-Encoding', 'Accept-Encoding, Cookie'],
        ['accept, cookie', 'accept, cookie'],
        ['*', '*'],
        [['Accept', 'Origin'], 'Accept, Origin, Cookie'],
      ] as const
    ).entries()) {
      app.get(`/vary/${index}`, async (_request, reply) => {
        reply.header('cache-control', 'private, max-age=5').header('vary', vary)
        return expected
      })
    }
    const { cookie } = await signIn(app)
    for (let index = 0; index < 4; index++) {
      const response = await app.inject({ url: `/vary/${index}`, headers: { cookie } })
      t.equal(response.headers.vary, response.body)
      t.equal(response.headers['cache-control'], 'private, max-age=5')
    }
  })
})

t.test('app.gosesh', async (t) => {
  t.test('verifyToken counts as activity unless told not to', async (t) => {
    const app = buildApp(t, { activityTracking: {} })
    await app.ready()
    const { token, session } = await app.gosesh.createSession('ada', { metadata: { client: 'cli' } })
    t.match(await app.gosesh.verifyToken(token, { activity: false }), {
      id: session.id,
      metadata: { client: 'cli' },
    })
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    t.ok(await app.gosesh.verifyToken(token))
    t.equal(app.gosesh.activityTracker?.pendingCount, 1)
    for (const wrong of ['', 'nonsense', undefined, 7] as string[])
      t.equal(await app.gosesh.verifyToken(wrong), null)
  })

  t.test('getSession finds the live session of an id, and is no activity', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    await app.ready()
    const { session } = await app.gosesh.createSession('ada')
    t.same(await app.gosesh.getSession(session.id), session)
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    store.reset()
    for (const wrong of ['', '../../etc', undefined] as string[])
      t.equal(await app.gosesh.getSession(wrong), null)
    t.same(store.calls, [], 'what is shaped like no id never reaches the store')
  })

  t.test('deleteSession ends one; with userId, only one of that user', async (t) => {
    const app = buildApp(t)
    await app.ready()
    const { session, token } = await app.gosesh.createSession('ada')
    t.equal(await app.gosesh.deleteSession(session.id, { userId: 'bo' }), false)
    await t.rejects(app.gosesh.deleteSession(session.id, { userId: undefined as never }), {
      code: 'GOSESH_ERR_USER_ID',
    })
    t.ok(await app.gosesh.verifyToken(token))
    t.equal(await app.gosesh.deleteSession(session.id, { userId: 'ada' }), true)
    t.equal(await app.gosesh.deleteSession(session.id), false)
    t.equal(await app.gosesh.deleteSession('../../etc', { userId: 'ada' }), false)
    t.equal(await app.gosesh.verifyToken(token), null)
  })

  t.test('deleteUserSessions keeps the one that is excepted', async (t) => {
    const app = buildApp(t)
    await app.ready()
    const [keep] = await Promise.all([1, 2, 3].map(() => app.gosesh.createSession('ada')))
    t.equal(await app.gosesh.deleteUserSessions('ada', { except: keep?.session.id }), 2)
    t.match(await app.gosesh.listUserSessions('ada'), [{ id: keep?.session.id }])
    await t.rejects(app.gosesh.deleteUserSessions('ada', { except: 'x' as never }), {
      code: 'GOSESH_ERR_SESSION_ID',
    })
    await t.rejects(app.gosesh.deleteUserSessions(undefined as never), { code: 'GOSESH_ERR_USER_ID' })
  })

  t.test('deleteSessionsByMetadata ends those that hold all the pairs, and tells of each', async (t) => {
    const app = buildApp(t, { activityTracking: {} })
    await app.ready()
    const ended: unknown[] = []
    app.gosesh.onSessionEnd(({ sessionId, reason }) => ended.push({ sessionId, reason }))
    const [one, two] = [{ device: 'a', oidc_sub: '7' }, { oidc_sub: '7' }]
    const first = await app.gosesh.createSession('ada', { metadata: one })
    const second = await app.gosesh.createSession('ada', { metadata: two })
    await app.gosesh.verifyToken(first.token)
    t.equal(await app.gosesh.deleteSessionsByMetadata({ device: 'a', oidc_sub: '7' }), 1)
    t.same(ended, [{ sessionId: first.session.id, reason: 'signedOut' }])
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    t.equal(await app.gosesh.deleteSessionsByMetadata({}), 0)
    for (const wrong of [undefined, null, 'a', { device: undefined }] as never[])
      await t.rejects(app.gosesh.deleteSessionsByMetadata(wrong), { code: 'GOSESH_ERR_METADATA' })
    t.ok(await app.gosesh.verifyToken(second.token))
  })

  t.test('deleteAllSessions ends all, and forgets their activity', async (t) => {
    const app = buildApp(t, { activityTracking: {} })
    await app.ready()
    for (const user of ['ada', 'bo', 'bo']) await app.gosesh.createSession(user)
    const { token } = await app.gosesh.createSession('cy')
    await app.gosesh.verifyToken(token)
    t.equal(await app.gosesh.deleteAllSessions(), 4)
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    t.same(await app.gosesh.listUserSessions('bo'), [])
  })

  t.test('deleteAllSessions leaves the activity of a session that begins meanwhile', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    await app.ready()
    const before = await app.gosesh.createSession('ada')
    await app.gosesh.verifyToken(before.token)
    store.on('deleteAllSessions', async (proceed) => {
      const deleted = await proceed()
      const { token } = await app.gosesh.createSession('ada')
      await app.gosesh.verifyToken(token)
      return deleted
    })
    t.equal(await app.gosesh.deleteAllSessions(), 1)
    t.equal(app.gosesh.activityTracker?.pendingCount, 1)
  })

  t.test(
    'listUserSessions lists live ones, the most recently active first, pending activity included',
    async (t) => {
      const time = fakeTime(t)
      const app = buildApp(t, { activityTracking: { flushInterval: 600_000 } })
      const old = await signIn(app)
      await signIn(app, { idleTimeout: 30_000 })
      await time.advance(60_000)
      const recent = await signIn(app)
      await time.advance(1_000)
      await whoami(app, old.cookie)
      const list = await app.gosesh.listUserSessions('ada')
      t.same(
        list.map(({ id }) => id),
        [old.session.id, recent.session.id],
      )
      t.equal(list[0]?.lastActivityAt.getTime(), time.now())
    },
  )

  t.test('deleteAllSessions has all the time that it takes', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, storeTimeout: 10 })
    await app.ready()
    store.on('deleteAllSessions', () => new Promise((resolve) => setTimeout(resolve, 50, 7)))
    const deleting = app.gosesh.deleteAllSessions()
    await time.advance(60, 10)
    t.equal(await deleting, 7)
    store.fail('deleteAllSessions')
    await t.rejects(app.gosesh.deleteAllSessions(), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  })

  t.test('refuses an unknown or wrong option in any call', async (t) => {
    const app = buildApp(t)
    await app.ready()
    const { session, token } = await app.gosesh.createSession('ada')
    for (const call of [
      () => app.gosesh.deleteSession(session.id, { userID: 'bo' } as object),
      () => app.gosesh.deleteSession(session.id, null as never),
      () => app.gosesh.deleteUserSessions('ada', { excpt: session.id } as object),
      () => app.gosesh.createSession('ada', { idletimeout: 5 } as object),
      () => app.gosesh.verifyToken(token, { activity: 'no' as never }),
    ]) {
      await t.rejects(call() as Promise<unknown>, { code: 'GOSESH_ERR_OPTION' })
    }
    t.ok(await app.gosesh.verifyToken(token), 'and nothing was deleted')
  })

  t.test('upsertUser is idempotent', async (t) => {
    const app = buildApp(t)
    await app.ready()
    const id = await app.gosesh.upsertUser('google|1')
    t.equal(await app.gosesh.upsertUser('google|1'), id)
    t.not(await app.gosesh.upsertUser('google|2'), id)
    await t.rejects(app.gosesh.upsertUser(''), { code: 'GOSESH_ERR_USER_ID' })
  })

  t.test('a store’s own error passes as it is, any other is wrapped with its cause', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, storeTimeout: 20 })
    await app.ready()
    const cause = new Error('password authentication failed')
    store.fail('listUserSessions', cause)
    await t.rejects(app.gosesh.listUserSessions('ada'), {
      code: 'GOSESH_ERR_STORE_UNAVAILABLE',
      message: 'The session store is unavailable (listUserSessions)',
      cause,
    })
    store.fail('listUserSessions', new GoseshError('GOSESH_ERR_STORE_SCHEMA'))
    await t.rejects(app.gosesh.listUserSessions('ada'), { code: 'GOSESH_ERR_STORE_SCHEMA' })
    store.on('getSession', async () => undefined)
    t.equal(await app.gosesh.verifyToken('x'.repeat(43)), null, 'undefined is as absent as null')
    store.hang('upsertUser')
    await t.rejects(app.gosesh.upsertUser('x'), {
      code: 'GOSESH_ERR_STORE_UNAVAILABLE',
      cause: { message: 'no answer in 20 ms' },
    })
    store.on('upsertUser', () => {
      throw cause
    })
    await t.rejects(app.gosesh.upsertUser('x'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause })
  })
})

t.test('sweeping', async (t) => {
  t.test('deletes in chunks what expired more than the grace ago, again and again', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const logger = recordingLogger()
    const app = buildApp(t, { store, logger, sweepInterval: 60_000 })
    await app.ready()
    for (let i = 0; i < 2_500; i++) await app.gosesh.createSession('ada', { absoluteTimeout: 1_000 })
    await app.gosesh.createSession('bo')
    store.reset()
    await time.advance(5 * 60_000, 10_000)
    t.equal((await store.listUserSessions('ada')).length, 2_500, 'within the grace of 5 minutes')
    store.reset()
    await time.advance(70_000, 10_000)
    t.same(await store.listUserSessions('ada'), [])
    t.equal((await store.listUserSessions('bo')).length, 1)
    const limits = store.calls
      .filter(({ method }) => method === 'deleteExpiredSessions')
      .map(({ args }) => args[1])
    t.same(limits.slice(0, 3), [1_000, 1_000, 1_000])
    t.match(logger.withMessage('swept expired sessions'), [
      { level: 'debug', details: { deletedCount: 2_500 } },
    ])
  })

  t.test('the grace covers what a flush may still bring', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const activityTracking = { flushInterval: 10 * 60_000, flushTimeout: 60_000 }
    const app = buildApp(t, { store, activityTracking, sweepInterval: 60_000 })
    await app.ready()
    await time.advance(60_000)
    const before = store.calls.find(({ method }) => method === 'deleteExpiredSessions')?.args[0] as Date
    t.ok(time.now() - before.getTime() >= 21 * 60_000)
  })

  t.test('goes on after a failure, which is warned about, and ends with the app', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const logger = recordingLogger()
    const app = buildApp(t, { store, logger, sweepInterval: 1_000 })
    await app.ready()
    store.fail('deleteExpiredSessions')
    await time.advance(5_000)
    t.ok(logger.above('info').length >= 4)
    await app.close()
    const { length } = store.calls
    await time.advance(60_000)
    t.equal(store.calls.length, length)
  })

  t.test('ends after the chunk that is being deleted when the app closes', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, sweepInterval: 1_000, storeTimeout: 60_000 })
    await app.ready()
    store.on('deleteExpiredSessions', () => new Promise((resolve) => setTimeout(resolve, 500, 1_000)))
    await time.advance(1_100, 100)
    const closing = app.close()
    await time.advance(3_000, 100)
    await closing
    t.equal(store.counts.deleteExpiredSessions, 1, 'although the chunk was full')
  })

  t.test('does not hold up the end of the app, nor is it bound by storeTimeout', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const logger = recordingLogger()
    const app = buildApp(t, { store, logger, sweepInterval: 1_000, storeTimeout: 2_000 })
    await app.ready()
    store.hang('deleteExpiredSessions')
    await time.advance(10_000)
    t.same(logger.lines, [])
    const closing = app.close()
    await time.advance(2_100, 100)
    await closing
  })

  t.test('is not done where sweepInterval is null', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    await buildApp(t, { store, sweepInterval: null }).ready()
    await time.advance(3_600_000, 60_000)
    t.same(store.counts, {})
  })
})

t.test('what is wrong with an input is named', async (t) => {
  const app = buildApp(t)
  await app.ready()
  for (const [userId, message] of [
    [42, 'A user id is a string, not the number 42; for a number give String(id)'],
    [42n, 'A user id is a string, not the bigint 42; for a number give String(id)'],
    [undefined, 'A user id is a string, not undefined; for a number give String(id)'],
    [null, 'A user id is a string, not null; for a number give String(id)'],
  ] as const) {
    const expected = { code: 'GOSESH_ERR_USER_ID', statusCode: 500, message }
    await t.rejects(app.gosesh.createSession(userId as never), expected)
  }
  for (const [metadata, statusCode, message] of [
    [{ role: 1 }, 500, /; "role" is number$/],
    [{ role: null }, 500, /; "role" is null$/],
    [['a'], 500, /; it is an array$/],
    ['a', 500, /; it is a string$/],
    [{ name: '\0' }, 400, /; "name" has a NUL or a lone surrogate$/],
    [
      { short: 'a', userAgent: 'x'.repeat(5_000) },
      400,
      /; it has 50\d\d bytes, most of them in "userAgent"$/,
    ],
  ] as const) {
    const expected = { code: 'GOSESH_ERR_METADATA', statusCode, message }
    await t.rejects(app.gosesh.createSession('ada', { metadata: metadata as never }), expected)
  }
})

t.test('metadata of a header that was not sent is left out', async (t) => {
  const app = buildApp(t)
  await app.ready()
  const create = (metadata: Record<string, string | undefined>) =>
    app.gosesh.createSession('ada', { metadata })
  const { session } = await create({ ip: '::1', userAgent: undefined })
  t.same(session.metadata, { ip: '::1' })
  t.same((await create({ userAgent: undefined })).session.metadata, {})
})

t.test('metadata that is handed out or handed in cannot change what is stored', async (t) => {
  const app = buildApp(t)
  await app.ready()
  const metadata: Record<string, string> = { a: '1' }
  const { token } = await app.gosesh.createSession('ada', { metadata })
  metadata.a = '2'
  const session = await app.gosesh.verifyToken(token)
  t.throws(() => Object.assign(session?.metadata as SessionMetadata, { a: '3' }))
  t.same((await app.gosesh.verifyToken(token))?.metadata, { a: '1' })
})
