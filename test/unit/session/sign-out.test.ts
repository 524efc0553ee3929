import t from 'tap'
import { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

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
