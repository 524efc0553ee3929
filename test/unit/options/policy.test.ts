import t from 'tap'
import {
  bearerCredential,
  cookieCredential,
  type GoseshOptions,
  MemoryStore,
  nistLifetimes,
  type Session,
} from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'

const minute = 60_000
const hour = 60 * minute

/** A clock that stands still until it is moved. */
function steppedClock(): { now(): number; forward(ms: number): void } {
  let now = Date.parse('2030-01-01T00:00:00Z')
  return {
    now: () => now,
    forward(ms) {
      now += ms
    },
  }
}

t.test('requireRecentSignIn', async (t) => {
  const build = (options: GoseshOptions = {}) => {
    const clock = steppedClock()
    const app = buildApp(t, { clock, ...options })
    app.register(async (scope) => {
      scope.post('/password', { onRequest: app.requireRecentSignIn(5 * minute) }, async () => 'changed')
    })
    const change = (headers: Record<string, string>) =>
      app.inject({ method: 'POST', url: '/password', headers })
    return { app, clock, change }
  }

  t.test('lets a session through that began within maxAge, however active it was since', async (t) => {
    const { app, clock, change } = build()
    const { cookie } = await signIn(app)
    clock.forward(5 * minute)
    t.equal((await change({ cookie })).body, 'changed')
    await whoami(app, cookie)
    clock.forward(1)
    const response = await change({ cookie })
    t.match(response.json(), { statusCode: 401, code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' })
    t.notOk(response.headers['www-authenticate'])
    const again = await app.inject({ method: 'POST', url: '/login', headers: { cookie }, body: {} })
    t.equal(
      (await change({ cookie: cookieOf(again) })).statusCode,
      200,
      'signing in again is what it asks for',
    )
  })

  t.test(
    'does not take a sign-in in the future for a recent one, as after a clock that stepped back',
    async (t) => {
      const { app, clock, change } = build()
      const { cookie } = await signIn(app)
      clock.forward(-1_000)
      t.equal((await change({ cookie })).statusCode, 200, 'but for what two nodes may differ by')
      clock.forward(-1)
      const response = await change({ cookie })
      t.match(response.json(), { statusCode: 401, code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' })
    },
  )

  t.test('tells a bearer client what is missing (RFC 9470)', async (t) => {
    const { app, clock, change } = build({ credentials: [bearerCredential()] })
    await app.ready()
    const { token } = await app.gosesh.createSession('ada')
    clock.forward(6 * minute)
    const response = await change({ authorization: `Bearer ${token}` })
    t.equal(
      response.headers['www-authenticate'],
      'Bearer error="insufficient_user_authentication", max_age=300',
    )
  })

  t.test('wants a session in the first place', async (t) => {
    t.match((await build().change({})).json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
  })

  t.test('checks its argument', async (t) => {
    const app = buildApp(t)
    await app.ready()
    for (const maxAge of [0, -1, Number.NaN, '5m', undefined]) {
      t.throws(() => app.requireRecentSignIn(maxAge as number), {
        code: 'GOSESH_ERR_OPTION',
        message: /^Option requireRecentSignIn is/,
      })
    }
  })
})

t.test('maxSessionsPerUser', async (t) => {
  t.test('a number: sign-in past it ends the least recently active session', async (t) => {
    const clock = steppedClock()
    const app = buildApp(t, { clock, maxSessionsPerUser: 3, activityTracking: {} })
    const sessions: { cookie: string; session: Session }[] = []
    for (let i = 0; i < 3; i++) {
      sessions.push(await signIn(app))
      clock.forward(minute)
    }
    const [first, second, third] = sessions.map(({ cookie }) => cookie) as [string, string, string]
    await whoami(app, first)
    clock.forward(minute)
    const fourth = await signIn(app)
    t.ok(await whoami(app, first), 'active just now, although not written yet')
    t.equal(await whoami(app, second), null)
    t.ok(await whoami(app, third))
    t.ok(await whoami(app, fourth.cookie))
    t.ok(await whoami(app, (await signIn(app, { user: 'bo' })).cookie), 'others are not concerned')
    t.equal((await app.gosesh.listUserSessions('ada')).length, 3)
  })

  t.test('counts for sessions of createSession, too', async (t) => {
    const clock = steppedClock()
    const app = buildApp(t, { clock, maxSessionsPerUser: 2 })
    await app.ready()
    for (let i = 0; i < 4; i++) {
      await app.gosesh.createSession('ada')
      clock.forward(1)
    }
    t.equal((await app.gosesh.listUserSessions('ada')).length, 2)
  })

  t.test('does not count what has expired, nor the session that the sign-in replaces', async (t) => {
    const clock = steppedClock()
    for (const whenFull of ['endLeastRecent', 'refuse'] as const) {
      const app = buildApp(t, { clock, maxSessionsPerUser: { limit: 2, whenFull }, sweepInterval: null })
      const expired = await signIn(app, { idleTimeout: 1_000 })
      const other = await signIn(app)
      clock.forward(2_000)
      const { cookie } = await signIn(app)
      t.equal(await whoami(app, expired.cookie), null)
      const again = await app.inject({ method: 'POST', url: '/login', headers: { cookie }, body: {} })
      t.equal(again.statusCode, 200, whenFull)
      t.ok(await whoami(app, other.cookie), 'was not ended for it')
      t.equal(await whoami(app, cookie), null)
    }
  })

  t.test('refuse: sign-in past it is answered with 409, and changes nothing', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, maxSessionsPerUser: { limit: 1, whenFull: 'refuse' } })
    const { cookie } = await signIn(app)
    store.reset()
    const response = await app.inject({ method: 'POST', url: '/login', body: {} })
    t.match(response.json(), { statusCode: 409, code: 'GOSESH_ERR_TOO_MANY_SESSIONS' })
    t.notOk(response.headers['set-cookie'])
    t.same(store.counts, { listUserSessions: 1 })
    await t.rejects(app.gosesh.createSession('ada'), { code: 'GOSESH_ERR_TOO_MANY_SESSIONS' })
    t.ok(await whoami(app, cookie))
    await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.equal((await app.inject({ method: 'POST', url: '/login', body: {} })).statusCode, 200)
  })

  t.test('sign-ins at once pass it by at most their number, and one of them always stands', async (t) => {
    for (const limit of [1, 3]) {
      const clock = steppedClock()
      const app = buildApp(t, { clock, maxSessionsPerUser: limit })
      await app.ready()
      for (let round = 0; round < 10; round++) {
        clock.forward(1)
        const started = await Promise.all(Array.from({ length: 8 }, () => app.gosesh.createSession('ada')))
        const live = await app.gosesh.listUserSessions('ada')
        t.ok(live.length >= 1 && live.length <= limit + 8, `${live.length}`)
        const ids = new Set(live.map((session) => session.id))
        t.ok(started.some(({ session }) => ids.has(session.id)))
      }
      clock.forward(1)
      await app.gosesh.createSession('ada')
      t.equal((await app.gosesh.listUserSessions('ada')).length, limit, 'and the next one puts it right')
    }
  })

  t.test('a wrong one, or a store that cannot list, fails start-up', async (t) => {
    for (const [maxSessionsPerUser, message] of [
      [0, /^Option maxSessionsPerUser is 0; expected a whole number, 1 or more/],
      ['5', /^Option maxSessionsPerUser is '5'; expected a whole number, 1 or more, or { limit, whenFull }/],
      [{ limit: 1.5 }, /^Option maxSessionsPerUser.limit is 1.5/],
      [{ whenFull: 'refuse' }, /^Option maxSessionsPerUser.limit is undefined/],
      [
        { limit: 1, whenFull: 'ask' },
        /^Option maxSessionsPerUser.whenFull is 'ask'; expected 'endLeastRecent' or/,
      ],
      [{ limit: 1, when: 'refuse' }, /^Option maxSessionsPerUser.when is a string; expected no such option/],
    ] as const) {
      const app = buildApp(t, { maxSessionsPerUser: maxSessionsPerUser as never })
      await t.rejects(async () => await app.ready(), { code: 'GOSESH_ERR_OPTION', message })
    }
    class StoreThatCannotList extends MemoryStore {
      override listUserSessions = undefined as never
    }
    const app = buildApp(t, { store: new StoreThatCannotList(), maxSessionsPerUser: 5 })
    await t.rejects(async () => await app.ready(), {
      code: 'GOSESH_ERR_STORE_CAPABILITY',
      message: 'The option maxSessionsPerUser needs a store with the method listUserSessions',
    })
  })
})

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
