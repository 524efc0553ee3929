import t from 'tap'
import { bearerCredential, cookieCredential, nistLifetimes } from '../../../lib/index.js'
import { buildApp, signIn, whoami } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from './policy-fixtures.js'

const hour = 60 * minute

t.test('after an incident', async (t) => {
  /** A session that another app, with no policy, created in the same store an hour ago. */
  async function olderSession() {
    const store = new WatchedStore()
    const clock = steppedClock()
    const before = buildApp(t, { store, clock })
    const signedIn = await signIn(before, { idleTimeout: null })
    clock.forward(hour)
    return { store, clock, ...signedIn, createdAt: new Date(signedIn.session.createdAt) }
  }

  t.test('notBefore refuses every session created before it', async (t) => {
    const { store, clock, cookie, createdAt, session } = await olderSession()
    const strict = buildApp(t, { store, clock, notBefore: new Date(createdAt.getTime() + 1) })
    t.equal(await whoami(strict, cookie), null)
    t.equal(await strict.gosesh.getSession(session.id), null)
    t.same(await strict.gosesh.listUserSessions('ada'), [])
    t.ok(await whoami(strict, (await signIn(strict)).cookie))
    const same = buildApp(t, { store, clock, notBefore: createdAt })
    t.ok(await whoami(same, cookie), 'one created at that very time is let in')
  })

  t.test('maxAge ends the sessions there are, and shows their deadlines as they have become', async (t) => {
    const { store, clock, cookie, createdAt } = await olderSession()
    const app = buildApp(t, { store, clock, maxAge: 2 * hour, activityTracking: {} })
    const shown = await whoami(app, cookie)
    t.equal(shown?.absoluteDeadline, new Date(createdAt.getTime() + 2 * hour).toISOString())
    t.equal(
      (await app.gosesh.listUserSessions('ada'))[0]?.absoluteDeadline.toISOString(),
      shown?.absoluteDeadline,
    )
    clock.forward(hour - 1)
    t.ok(await whoami(app, cookie))
    clock.forward(1)
    t.equal(await whoami(app, cookie), null)
  })

  t.test('maxAge bounds the idle deadline and new sessions, and prolongs none', async (t) => {
    const clock = steppedClock()
    const app = buildApp(t, { clock, maxAge: 10 * minute })
    const login = await app.inject({ method: 'POST', url: '/login', body: {} })
    const session = login.json()
    t.equal(login.cookies[0]?.maxAge, 600)
    t.equal(Date.parse(session.absoluteDeadline) - clock.now(), 10 * minute)
    t.equal(session.idleDeadline, session.absoluteDeadline)
    const short = await signIn(app, { idleTimeout: minute, absoluteTimeout: 5 * minute })
    const shown = await whoami(app, short.cookie)
    t.match(shown, {
      idleDeadline: short.session.idleDeadline,
      absoluteDeadline: short.session.absoluteDeadline,
    })
  })

  t.test('an idle deadline past maxAge is shown as the absolute one', async (t) => {
    const store = new WatchedStore()
    const clock = steppedClock()
    const { cookie } = await signIn(buildApp(t, { store, clock }))
    const app = buildApp(t, { store, clock, maxAge: 10 * minute })
    const shown = await whoami(app, cookie)
    t.equal(shown?.idleDeadline, shown?.absoluteDeadline)
    t.equal(Date.parse(String(shown?.absoluteDeadline)) - clock.now(), 10 * minute)
  })

  t.test('deleteAllSessions ends all', async (t) => {
    const app = buildApp(t)
    const cookies = [(await signIn(app)).cookie, (await signIn(app, { user: 'bo' })).cookie]
    t.equal(await app.gosesh.deleteAllSessions(), 2)
    for (const cookie of cookies) t.equal(await whoami(app, cookie), null)
  })

  t.test('wrong ones fail start-up', async (t) => {
    for (const [options, message] of [
      [{ notBefore: '2030-01-01' }, /^Option notBefore is '2030-01-01'; expected a valid Date/],
      [{ notBefore: new Date(Number.NaN) }, /^Option notBefore is Invalid Date/],
      [{ maxAge: 0 }, /^Option maxAge is 0; expected a whole number of milliseconds from 1 to 100 years/],
      [{ maxAge: null }, /^Option maxAge is null/],
    ] as const) {
      const app = buildApp(t, options as never)
      await t.rejects(async () => await app.ready(), { code: 'GOSESH_ERR_OPTION', message })
    }
  })
})

t.test('clearSiteData', async (t) => {
  t.test('is sent with a sign-out that clears the cookie, and by default not at all', async (t) => {
    for (const [clearSiteData, expected] of [
      [undefined, undefined],
      [['cache', 'storage'] as const, '"cache", "storage"'],
    ] as const) {
      const app = buildApp(t, { clearSiteData })
      const { cookie } = await signIn(app)
      const response = await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
      t.equal(response.headers['clear-site-data'], expected)
      t.notOk((await app.inject('/whoami')).headers['clear-site-data'])
    }
  })

  t.test('is not sent where a page of another site asked for it without the cookie', async (t) => {
    const app = buildApp(t, { clearSiteData: ['*'] })
    const headers = { 'sec-fetch-site': 'cross-site' }
    const response = await app.inject({ method: 'POST', url: '/logout', headers })
    t.notOk(response.headers['clear-site-data'])
  })

  t.test('is checked at start-up', async (t) => {
    for (const clearSiteData of ['cache', ['everything'], [undefined]]) {
      const app = buildApp(t, { clearSiteData: clearSiteData as never })
      await t.rejects(async () => await app.ready(), {
        code: 'GOSESH_ERR_OPTION',
        message:
          /^Option clearSiteData is .*; expected a list of cache, cookies, storage, executionContexts, \*/,
      })
    }
  })
})

t.test('nistLifetimes are within what each level allows', async (t) => {
  const { AAL1, AAL2, AAL3 } = nistLifetimes
  t.ok(AAL1.absoluteTimeout <= 30 * 24 * hour)
  t.ok(AAL2.absoluteTimeout <= 24 * hour && Number(AAL2.idleTimeout) <= hour)
  t.ok(AAL3.absoluteTimeout <= 12 * hour && Number(AAL3.idleTimeout) <= 15 * minute)
  for (const lifetimes of [AAL1, AAL2, AAL3]) {
    t.match(cookieCredential(lifetimes), lifetimes)
    t.match(bearerCredential(lifetimes), lifetimes)
  }
})

t.test('app.gosesh.policy is everything in force, as plain data', async (t) => {
  const standard = buildApp(t)
  let early: unknown
  standard.register(async (scope) => {
    early = scope.gosesh.policy.sweepInterval
  })
  await standard.ready()
  t.equal(early, null, 'while the store is not looked at yet')
  t.same(JSON.parse(JSON.stringify(standard.gosesh.policy)), {
    credentials: [
      {
        name: 'cookie',
        header: 'Cookie',
        ambient: true,
        idleTimeout: 30 * minute,
        absoluteTimeout: 24 * hour,
      },
    ],
    activityTracking: null,
    sessionCache: null,
    refreshInterval: 60_000,
    storeTimeout: 2_000,
    maxPendingStoreCalls: 1_000,
    sweepInterval: 600_000,
    crossOriginProtection: true,
    trustedOrigins: [],
    maxSessionsPerUser: null,
    notBefore: null,
    maxAge: null,
    clearSiteData: [],
    visitors: null,
    data: { maxValueLength: 16_384, maxKeys: 50 },
    deviceBinding: null,
    decorateAs: 'session',
    bindSessionToLog: false,
    requireByDefault: false,
  })
  const tight = buildApp(t, {
    credentials: [bearerCredential(nistLifetimes.AAL3)],
    activityTracking: { flushInterval: 1_000, onFlushError() {} },
    sweepInterval: null,
    trustedOrigins: ['https://app.example.com'],
    maxSessionsPerUser: 5,
    notBefore: new Date('2030-01-01T00:00:00Z'),
    maxAge: hour,
    clearSiteData: ['cache'],
  })
  await tight.ready()
  t.match(JSON.parse(JSON.stringify(tight.gosesh.policy)), {
    credentials: [{ name: 'bearer', ambient: false, idleTimeout: 15 * minute, absoluteTimeout: 12 * hour }],
    activityTracking: {
      flushInterval: 1_000,
      flushTimeout: 5_000,
      maxBatchSize: 5_000,
      maxPending: 1_000_000,
    },
    sweepInterval: null,
    trustedOrigins: ['https://app.example.com'],
    maxSessionsPerUser: { limit: 5, whenFull: 'endLeastRecent' },
    notBefore: '2030-01-01T00:00:00.000Z',
    maxAge: hour,
    clearSiteData: ['cache'],
  })
})
