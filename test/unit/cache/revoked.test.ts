import t from 'tap'
import type { SessionId } from '../../../lib/index.js'
import { buildApp, signIn, whoami } from '../../tools/app.js'
import { settle } from '../../tools/clock.js'
import { LoggedStore } from '../../tools/logged-store.js'
import { minute } from '../options/policy-fixtures.js'
import { cachingNode, poll } from './cache-fixtures.js'

t.test('what this node ends or changes is out of its memory before the call is answered', async (t) => {
  async function remembering() {
    const node = await cachingNode(t)
    const { cookie, session } = await signIn(node.app, { metadata: { device: 'laptop' } })
    await whoami(node.app, cookie)
    t.equal(node.stats().size, 1)
    return { ...node, cookie, session }
  }

  t.test('by whichever call', async (t) => {
    for (const end of [
      ({ app, session }) => app.gosesh.deleteSession(session.id),
      ({ app }) => app.gosesh.deleteUserSessions('ada'),
      ({ app }) => app.gosesh.deleteSessionsByMetadata({ device: 'laptop' }),
      ({ app }) => app.gosesh.deleteAllSessions(),
      ({ app }) => app.gosesh.deleteUser('ada'),
      ({ app, cookie }) => app.inject({ method: 'POST', url: '/logout', headers: { cookie } }),
      ({ app, cookie }) => app.inject({ method: 'POST', url: '/login', headers: { cookie }, body: {} }),
      ({ app, session }) => app.gosesh.reauthenticate(session.id),
    ] satisfies ((given: Awaited<ReturnType<typeof remembering>>) => Promise<unknown>)[]) {
      const given = await remembering()
      await end(given)
      t.equal(await whoami(given.app, given.cookie), null, end.toString())
    }
  })

  t.test('a change is seen at once', async (t) => {
    const { app, cookie, session } = await remembering()
    await app.gosesh.updateMetadata(session.id, { device: 'phone' })
    t.same((await whoami(app, cookie))?.metadata, { device: 'phone' })
  })

  t.test('also if the call fails', async (t) => {
    const { app, store, stats, cookie, session } = await remembering()
    for (const [method, call] of [
      ['deleteSession', () => app.gosesh.deleteSession(session.id)],
      ['updateSession', () => app.gosesh.updateMetadata(session.id, { device: 'x' })],
    ] as const) {
      store.fail(method)
      await whoami(app, cookie)
      t.equal(stats().size, 1)
      await t.rejects(Promise.resolve(call()), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
      t.equal(stats().size, 0, method)
    }
    t.ok(await whoami(app, cookie), 'the session lives')
  })

  t.test('and again when a call lands after its time', async (t) => {
    for (const [method, call] of [
      ['deleteSession', ({ app, session }) => app.gosesh.deleteSession(session.id)],
      ['deleteUserSessions', ({ app }) => app.gosesh.deleteUserSessions('ada')],
    ] satisfies [
      'deleteSession' | 'deleteUserSessions',
      (given: Awaited<ReturnType<typeof remembering>>) => PromiseLike<unknown>,
    ][]) {
      const node = await cachingNode(t, { storeTimeout: 20 })
      const { cookie, session } = await signIn(node.app)
      const release = node.store.hold(method)
      await t.rejects(Promise.resolve(call({ ...node, cookie, session })), {
        code: 'GOSESH_ERR_STORE_UNAVAILABLE',
      })
      t.ok(await whoami(node.app, cookie))
      t.equal(node.stats().size, 1)
      release()
      await settle(10)
      t.equal(await whoami(node.app, cookie), null, method)
    }
  })

  t.test('also if the call never reached the store', async (t) => {
    const store = new LoggedStore()
    const app = buildApp(t, { store, sessionCache: {}, maxPendingStoreCalls: 1 })
    const { cookie, session } = await signIn(app)
    for (const call of [
      () => app.gosesh.deleteSession(session.id),
      () => app.gosesh.deleteUserSessions('ada'),
    ]) {
      await whoami(app, cookie)
      t.equal(app.gosesh.cacheStats?.size, 1)
      const release = store.hold('upsertUser')
      const waiting = app.gosesh.upsertUser('bo')
      await t.rejects(Promise.resolve<unknown>(call()), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
      t.equal(app.gosesh.cacheStats?.size, 0)
      release()
      await waiting
    }
  })

  t.test('a log that fails then empties the memory', async (t) => {
    const { app, store, stats, cookie } = await remembering()
    store.beforePoll = () => Promise.reject(new Error('the log is down'))
    await app.gosesh.deleteUserSessions('ada')
    t.equal(stats().size, 0)
    t.equal(await whoami(app, cookie), null)
  })
})

t.test('what other nodes do', async (t) => {
  t.test('is seen at the next look at the log', async (t) => {
    const here = await cachingNode(t)
    const { store } = here
    const there = await cachingNode(t, {}, store)
    const { cookie, session } = await signIn(here.app)
    for (const { app } of [here, there]) await whoami(app, cookie)
    await here.app.gosesh.updateMetadata(session.id, { device: 'phone' })
    t.equal((await whoami(there.app, cookie))?.metadata, null)
    await poll(there)
    t.same((await whoami(there.app, cookie))?.metadata, { device: 'phone' })
    await here.app.gosesh.deleteSession(session.id)
    t.ok(await whoami(there.app, cookie))
    await poll(there)
    t.equal(await whoami(there.app, cookie), null)
  })

  t.test('is not overlooked by a read that was under way', async (t) => {
    const here = await cachingNode(t)
    const { store } = here
    const there = await cachingNode(t, {}, store)
    const { cookie, session } = await signIn(here.app)
    store.on('getSession', async (proceed) => {
      const record = await proceed()
      store.off('getSession')
      await here.app.gosesh.deleteSession(session.id as SessionId)
      await poll(there)
      return record
    })
    await whoami(there.app, cookie)
    t.equal(await whoami(there.app, cookie), null)
  })

  t.test('is not believed to be nothing if the log cannot tell', async (t) => {
    const { app, store, stats, ends } = await cachingNode(t)
    const { cookie } = await signIn(app)
    await whoami(app, cookie)
    store.forgetLog()
    await poll({ app, ends, stats })
    t.equal(stats().size, 0)
    t.same(ends, [{ reason: 'unknown', sessionId: null, userId: null, except: null }])
  })
})

t.test('what has to be certain reads again', async (t) => {
  const here = await cachingNode(t)
  const { store } = here
  const there = buildApp(t, { store, sessionCache: { pollInterval: 500_000, maxStaleness: 2_000_000 } })
  const recent = { onRequest: [] as never[] }
  there.get(
    '/recent',
    { ...recent, preHandler: (request) => there.requireRecentSignIn(minute)(request) },
    async (r) => r.session,
  )
  there.get('/sign-out-everywhere', async (_request, reply) => {
    await reply.signOut({ everywhere: true })
    return {}
  })
  await there.ready()

  t.test('requireRecentSignIn', async (t) => {
    const { cookie, session } = await signIn(here.app)
    await whoami(there, cookie)
    t.equal((await there.inject({ url: '/recent', headers: { cookie } })).statusCode, 200)
    await here.app.gosesh.deleteSession(session.id)
    t.equal((await there.inject({ url: '/recent', headers: { cookie } })).statusCode, 401)
  })

  t.test('signing out everywhere', async (t) => {
    const { cookie, session } = await signIn(here.app)
    await signIn(here.app)
    await whoami(there, cookie)
    await here.app.gosesh.deleteSession(session.id)
    await there.inject({ url: '/sign-out-everywhere', headers: { cookie } })
    t.equal(
      (await here.app.gosesh.listUserSessions('ada')).length,
      1,
      'only a live session speaks for the others',
    )
  })

  t.test('getSession and verifyToken', async (t) => {
    const { session, token } = await here.app.gosesh.createSession('ada')
    await there.inject({ url: '/whoami', headers: { cookie: `__Host-session=${token}` } })
    store.reset()
    t.ok(await there.gosesh.getSession(session.id))
    t.ok(await there.gosesh.verifyToken(token))
    t.equal(store.counts.getSession, 2)
  })
})
