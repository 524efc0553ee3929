import Fastify from 'fastify'
import t from 'tap'
import gosesh, { type SessionId } from '../../lib/index.js'
import { addRoutes, buildApp, signIn, whoami } from '../tools/app.js'
import { fakeTime, settle } from '../tools/clock.js'
import { recordingLogger } from '../tools/logger.js'
import { isCacheOn } from '../tools/session-cache.js'
import { WatchedStore } from '../tools/store.js'

const second = 1_000
const minute = 60 * second

t.test('promise 1: one read, no write', async (t) => {
  t.test(
    '1,000 verified requests are 1,000 reads, nothing else before the flush, then one batch',
    async (t) => {
      const store = new WatchedStore()
      const app = buildApp(t, { store, activityTracking: {} })
      const { cookie, session } = await signIn(app)
      store.reset()
      const responses = []
      for (let i = 0; i < 1_000; i++) responses.push(await app.inject({ url: '/me', headers: { cookie } }))
      t.equal(responses.filter((response) => response.statusCode === 200).length, 1_000)
      // From memory it takes none but the first.
      const getSession = isCacheOn() ? 1 : 1_000
      t.same(store.counts, { getSession })
      t.ok(responses.every((response) => response.headers['set-cookie'] === undefined))
      await app.gosesh.activityTracker?.flush()
      t.same(store.counts, { getSession, batchRecordActivity: 1 })
      const batch = store.calls.at(-1)?.args[0]
      t.same([...(batch as Map<SessionId, Date>).keys()], [session.id])
    },
  )

  t.test('nothing but signing in and out sends Set-Cookie', async (t) => {
    const app = buildApp(t)
    const { cookie } = await signIn(app)
    for (const url of ['/whoami', '/me', '/poll', '/health', '/nowhere']) {
      const response = await app.inject({ url, headers: { cookie } })
      t.equal(response.headers['set-cookie'], undefined, url)
    }
    const out = await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.match(out.headers['set-cookie'], /^__Host-session=; Max-Age=0;/)
  })
})

t.test('promise 3: revoked means revoked', async (t) => {
  t.test('a flush in flight while the session is deleted', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    const { cookie, session } = await signIn(app)
    await whoami(app, cookie)
    const release = store.hold('batchRecordActivity')
    const flush = app.gosesh.activityTracker?.flush()
    t.equal(await app.gosesh.deleteSession(session.id), true)
    release()
    await flush
    t.equal(await store.getSession(session.id), null)
    t.equal(await whoami(app, cookie), null)
  })

  t.test('a slow request that read the session before it was deleted', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    const { cookie, session } = await signIn(app)
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    store.on('getSession', async (proceed) => {
      const found = await proceed()
      await answered
      return found
    })
    const slow = app.inject({ url: '/whoami', headers: { cookie } })
    await settle()
    store.off('getSession')
    await app.gosesh.deleteSession(session.id)
    answer()
    await slow
    await app.gosesh.activityTracker?.flush()
    t.equal(await store.getSession(session.id), null)
    t.equal(await whoami(app, cookie), null)
  })

  for (const tracking of [{}, false] as const) {
    t.test(`an extension that finds the session gone, tracking ${tracking ? 'on' : 'off'}`, async (t) => {
      const time = fakeTime(t)
      const store = new WatchedStore()
      const app = buildApp(t, { store, activityTracking: tracking })
      const { cookie, session } = await signIn(app)
      await time.advance(29.5 * minute, minute)
      store.on('extendSession', async (proceed) => {
        // By another node, so that this one learns of it by the extension alone.
        await store.deleteSession(session.id)
        return await proceed()
      })
      t.equal(await whoami(app, cookie), null, 'anonymous')
      t.equal(await store.getSession(session.id), null)
      t.equal(app.gosesh.activityTracker?.pendingCount ?? 0, 0, 'its pending record is forgotten')
    })
  }

  t.test('the pending record of a deleted session is forgotten', async (t) => {
    const app = buildApp(t, { activityTracking: {} })
    const { cookie } = await signIn(app)
    await whoami(app, cookie)
    t.equal(app.gosesh.activityTracker?.pendingCount, 1)
    await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
  })
})

t.test('promise 4: an outage is not a sign-out', async (t) => {
  t.test('a store that answers with what is no session has failed', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    const { cookie } = await signIn(app)
    store.on('getSession', async () => ({ id: 'x', userId: 'ada' }) as never)
    const response = await app.inject({ url: '/me', headers: { cookie } })
    t.match(response, { statusCode: 503, headers: { 'set-cookie': undefined } })
    t.equal(response.json().code, 'GOSESH_ERR_STORE_UNAVAILABLE')
  })

  for (const fault of ['fail', 'hang'] as const) {
    t.test(
      `a store that ${fault}s: 503 in bounded time, the cookie left alone, then on as before`,
      async (t) => {
        const store = new WatchedStore()
        const app = buildApp(t, { store, storeTimeout: 50, activityTracking: {} })
        const { cookie, session } = await signIn(app)
        store[fault]('getSession')
        for (const url of ['/me', '/whoami']) {
          const response = await app.inject({ url, headers: { cookie } })
          t.equal(response.statusCode, 503)
          t.equal(response.json().code, 'GOSESH_ERR_STORE_UNAVAILABLE')
          t.equal(response.headers['set-cookie'], undefined)
        }
        t.equal(
          (await app.inject({ url: '/health', headers: { cookie } })).statusCode,
          200,
          'session: false answers',
        )
        t.equal((await app.inject('/whoami')).statusCode, 200, 'an anonymous request answers')
        store.off('getSession')
        t.equal((await whoami(app, cookie))?.id, session.id)
      },
    )
  }

  t.test('signing out during an outage: 503, and the cookie is kept', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const { cookie } = await signIn(app)
    store.fail('deleteSession')
    const response = await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.equal(response.statusCode, 503)
    t.equal(response.headers['set-cookie'], undefined)
    store.off('deleteSession')
    t.ok(await whoami(app, cookie))
  })

  for (const tracking of [{}, false] as const) {
    t.test(
      `an extension that fails: ${tracking ? 'a warning with tracking on' : '503 with tracking off'}`,
      async (t) => {
        const time = fakeTime(t)
        const store = new WatchedStore()
        const logger = recordingLogger()
        const app = buildApp(t, { store, logger, activityTracking: tracking })
        const { cookie } = await signIn(app)
        await time.advance(29.5 * minute, minute)
        store.fail('extendSession')
        const response = await app.inject({ url: '/me', headers: { cookie } })
        t.equal(response.statusCode, tracking ? 200 : 503)
        t.equal(
          logger.withMessage('session extension failed, left to the next flush').length,
          tracking ? 1 : 0,
        )
        store.off('extendSession')
        t.equal((await app.inject({ url: '/me', headers: { cookie } })).statusCode, 200)
      },
    )
  }
})

t.test('promise 5: a stolen store signs nobody in', async (t) => {
  t.test('the store, the logs and the responses but for Set-Cookie hold no token', async (t) => {
    const store = new WatchedStore()
    const written: string[] = []
    const app = Fastify({
      logger: { level: 'trace', stream: { write: (line: string) => void written.push(line) } },
    })
    t.teardown(() => app.close())
    app.register(gosesh, { store, activityTracking: {} })
    addRoutes(app)
    const { cookie, session } = await signIn(app)
    const token = cookie.split('=')[1] as string
    await whoami(app, cookie)
    store.fail('getSession', new Error('down'))
    const failed = await app.inject({ url: '/me', headers: { cookie } })
    await app.gosesh.activityTracker?.flush()
    t.notOk(JSON.stringify(store.calls).includes(token))
    t.notOk(written.join('').includes(token))
    t.notOk(failed.body.includes(token))
    t.not(session.id, token)
    store.off('getSession')
    t.equal(await whoami(app, `__Host-session=${session.id}`), null, 'the id is no token')
  })
})

t.test('promise 6: activity is never lost while the process lives', async (t) => {
  t.test('a batch that fails is written by a later flush, and newer activity is kept', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: { flushInterval: 30 * second } })
    const { cookie, session } = await signIn(app)
    store.fail('batchRecordActivity')
    await time.advance(second)
    await whoami(app, cookie)
    await time.advance(5 * minute)
    const stats = app.gosesh.activityTracker?.stats
    t.ok((stats?.failedFlushes ?? 0) >= 9, 'tried again and again')
    await whoami(app, cookie)
    const last = time.now()
    store.off('batchRecordActivity')
    await time.advance(30 * second)
    t.equal((await store.getSession(session.id))?.lastActivityAt.getTime(), last)
    t.same([app.gosesh.activityTracker?.pendingCount, app.gosesh.activityTracker?.stats.dropped], [0, 0])
  })

  t.test('past maxPending it is dropped and counted', async (t) => {
    const app = buildApp(t, { activityTracking: { maxPending: 2 } })
    for (const user of ['ada', 'bo', 'cy']) {
      const { cookie } = await signIn(app, { user })
      await whoami(app, cookie)
    }
    t.match(app.gosesh.activityTracker, { pendingCount: 2, stats: { recorded: 2, dropped: 1 } })
  })

  t.test('a clean shutdown writes everything', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    const { cookie, session } = await signIn(app)
    await time.advance(second)
    await whoami(app, cookie)
    await app.close()
    t.equal((await store.getSession(session.id))?.lastActivityAt.getTime(), time.now())
  })
})
