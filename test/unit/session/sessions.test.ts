import auth from '@fastify/auth'
import Fastify from 'fastify'
import t from 'tap'
import gosesh, { type Session } from '../../../lib/index.js'
import { buildApp, signIn, unknownToken, whoami } from '../../tools/app.js'
import { fakeTime } from '../../tools/clock.js'
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
    for (const headers of [{}, { cookie: `__Host-session=${unknownToken}` }]) {
      const refused = await app.inject({ url, headers })
      t.match(refused.json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' }, url)
    }
    t.equal((await app.inject({ url, headers: { cookie } })).statusCode, 200, url)
  }
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
