import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import type { Session, VerifyMessage } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { settle } from '../../tools/clock.js'
import { LoggedStore } from '../../tools/logged-store.js'
import { minute, steppedClock } from '../options/policy-fixtures.js'
import { cachingNode } from './cache-fixtures.js'

t.test('a request', async (t) => {
  t.test('reads the store once, and then finds its session in memory', async (t) => {
    const { app, store, stats } = await cachingNode(t)
    const { cookie } = await signIn(app)
    const first = await whoami(app, cookie)
    store.reset()
    t.same(await whoami(app, cookie), first)
    t.match(await app.inject({ method: 'HEAD', url: '/me', headers: { cookie } }), { statusCode: 200 })
    t.same(store.counts, {})
    t.match(stats(), { hits: 2, misses: 1, size: 1 })
  })

  t.test('of another method reads, unless its route says otherwise', async (t) => {
    const store = new LoggedStore()
    const app = buildApp(t, { store, sessionCache: {} })
    const answer = async (request: { session: Session | null }) => request.session?.id
    app.post('/own', answer)
    app.post('/memory', { config: { session: { cache: true } } }, answer)
    app.get('/store', { config: { session: { cache: false } } }, answer)
    app.get('/fresh', { config: { session: { signedInWithin: minute } } }, answer)
    app.get('/factor', { config: { session: { factors: [], signedInWithin: minute, cache: false } } }, answer)
    app.get('/quiet', { config: { session: { signedInWithin: minute, activity: false } } }, answer)
    await app.ready()
    const { cookie } = await signIn(app)
    await whoami(app, cookie)
    for (const [method, url, reads] of [
      ['GET', '/quiet', 1],
      ['POST', '/own', 1],
      ['POST', '/memory', undefined],
      ['GET', '/store', 1],
      ['GET', '/fresh', 1],
      ['GET', '/factor', 1],
    ] as const) {
      store.reset()
      t.equal((await app.inject({ method, url, headers: { cookie } })).statusCode, 200)
      t.equal(store.counts.getSession, reads, url)
    }
  })

  t.test('finds nothing in memory once any read has found the session gone', async (t) => {
    const { app, store } = await cachingNode(t)
    const { cookie, session } = await signIn(app)
    await whoami(app, cookie)
    // Another call ends it, and its answer is still on the way.
    let answer = (): void => {}
    store.on('deleteSession', async (proceed) => {
      const existed = await proceed()
      await new Promise<void>((resolve) => {
        answer = resolve
      })
      return existed
    })
    const ended = app.gosesh.deleteSession(session.id)
    await settle()
    t.equal(await app.gosesh.getSession(session.id), null)
    t.equal(await whoami(app, cookie), null)
    answer()
    t.equal(await ended, true)
  })

  t.test('with another secret is answered by the store', async (t) => {
    const { app, store } = await cachingNode(t)
    const { cookie } = await signIn(app)
    await whoami(app, cookie)
    store.reset()
    const guess = `${cookie.slice(0, -3)}${cookie.endsWith('AAA') ? 'BBB' : 'AAA'}`
    t.equal(await whoami(app, guess), null)
    t.equal(store.counts.getSession, 1)
    t.ok(await whoami(app, cookie))
    t.equal(store.counts.getSession, 1)
  })

  t.test('cannot change what is in memory', async (t) => {
    const app = buildApp(t, { store: new LoggedStore(), sessionCache: {} })
    app.get('/meddle', async (request) => {
      const { authenticatedAt, createdAt, lastActivityAt, absoluteDeadline } = request.requireSession()
      for (const date of [authenticatedAt, createdAt, lastActivityAt, absoluteDeadline]) date.setTime(0)
    })
    const { cookie } = await signIn(app)
    for (let i = 0; i < 3; i++) await app.inject({ url: '/meddle', headers: { cookie } })
    const shown = await whoami(app, cookie)
    for (const key of ['authenticatedAt', 'createdAt', 'lastActivityAt', 'absoluteDeadline'] as const) {
      t.ok(Date.parse(String(shown?.[key])) > 0, key)
    }
  })

  t.test('is published, and says if its session was in memory', async (t) => {
    const { app } = await cachingNode(t)
    const { cookie, session } = await signIn(app)
    const messages: VerifyMessage[] = []
    const listen = (message: unknown): void => void messages.push(message as VerifyMessage)
    subscribe('gosesh:verify', listen)
    t.teardown(() => unsubscribe('gosesh:verify', listen))
    await whoami(app, cookie)
    await whoami(app, cookie)
    const common = { outcome: 'verified', sessionId: session.id, userId: 'ada', error: null }
    t.match(messages, [
      { ...common, cached: false },
      { ...common, cached: true },
    ])
    t.type(messages[1]?.durationMs, 'number')
  })

  t.test('of a visitor is never answered from memory', async (t) => {
    const store = new LoggedStore()
    const app = buildApp(t, { store, sessionCache: {}, visitors: {} })
    app.get('/visit', async (request) => {
      await request.sessionData.set('seen', true)
      return {}
    })
    const cookie = cookieOf(await app.inject('/visit'))
    await app.inject({ url: '/visit', headers: { cookie } })
    t.ok((store.counts.getSession ?? 0) > 0)
    t.equal(app.gosesh.cacheStats?.size, 0)
  })

  t.test('with a record that is none fails as without the cache', async (t) => {
    const { app, store } = await cachingNode(t)
    const { cookie, session } = await signIn(app)
    const record = store.getSession(session.id)
    const broken = { ...record, absoluteDeadline: new Date(Number.NaN) }
    Object.defineProperty(store, 'getSession', { value: () => broken })
    for (let i = 0; i < 2; i++) {
      const { statusCode } = await app.inject({ url: '/whoami', headers: { cookie } })
      t.equal(statusCode, 503)
    }
  })

  t.test('without the option reads each time, and there are no statistics', async (t) => {
    for (const sessionCache of [undefined, false] as const) {
      const store = new LoggedStore()
      const app = buildApp(t, { store, sessionCache })
      const { cookie } = await signIn(app)
      store.reset()
      await whoami(app, cookie)
      await whoami(app, cookie)
      t.equal(store.counts.getSession, 2)
      t.equal(app.gosesh.cacheStats, null)
      t.equal(store.polls, 0)
    }
  })
})

t.test('time', async (t) => {
  t.test('an expired session is ended by the store, and not from memory', async (t) => {
    const clock = steppedClock()
    const { app, store } = await cachingNode(t, { clock })
    const { cookie } = await signIn(app, { idleTimeout: 10 * minute, absoluteTimeout: 20 * minute })
    await whoami(app, cookie)
    clock.forward(10 * minute)
    store.reset()
    t.equal(await whoami(app, cookie), null)
    t.equal(store.counts.getSession, 1)
  })

  t.test('activity of this node keeps a session in memory alive, past a flush too', async (t) => {
    const clock = steppedClock()
    const { app, store, stats } = await cachingNode(t, { clock, activityTracking: { flushInterval: 1_000 } })
    const { cookie, session: signedIn } = await signIn(app, { idleTimeout: 10 * minute })
    await whoami(app, cookie)
    clock.forward(4 * minute)
    const active = clock.now()
    t.ok(await whoami(app, cookie))
    await app.gosesh.activityTracker?.flush()
    t.equal(store.getSession(signedIn.id)?.lastActivityAt.getTime(), active, 'it is written')
    store.reset()
    clock.forward(4 * minute)
    const session = await whoami(app, cookie, '/poll')
    t.equal(Date.parse(String(session?.lastActivityAt)), active)
    t.same(store.counts, {})
    t.equal(stats().misses, 1)
    clock.forward(6 * minute)
    t.equal(await whoami(app, cookie), null, 'idle since the last request that counted')
  })

  t.test('an extension that is due is made by the usual way, with tracking and without', async (t) => {
    for (const activityTracking of [{ flushInterval: 1_000 }, false] as const) {
      const clock = steppedClock()
      const { app, store } = await cachingNode(t, { clock, activityTracking })
      const { cookie } = await signIn(app, { idleTimeout: 10 * minute })
      await whoami(app, cookie)
      clock.forward(10 * minute - 1)
      store.reset()
      t.ok(await whoami(app, cookie))
      t.match(store.counts, { getSession: 1, extendSession: 1 })
      clock.forward(1)
      t.ok(await whoami(app, cookie))
    }
  })

  t.test('without tracking a hit moves nothing', async (t) => {
    const clock = steppedClock()
    const { app, store } = await cachingNode(t, { clock })
    const { cookie, session } = await signIn(app, { idleTimeout: 100 * minute })
    await whoami(app, cookie)
    clock.forward(1_000)
    store.reset()
    t.equal((await whoami(app, cookie))?.lastActivityAt, session.lastActivityAt)
    t.same(store.counts, {})
  })
})

t.test('the store may be one that answers with promises, or comes from a function', async (t) => {
  const store = new LoggedStore()
  store.on('getSession', async (proceed) => await proceed())
  const { app, stats } = await cachingNode(t, { store: () => store })
  const { cookie } = await signIn(app)
  await whoami(app, cookie)
  await whoami(app, cookie)
  t.match(stats(), { hits: 1, misses: 1 })
  store.fail('getSession')
  t.ok(await whoami(app, cookie))
  t.equal((await app.inject({ method: 'POST', url: '/confirm', headers: { cookie } })).statusCode, 503)
})
