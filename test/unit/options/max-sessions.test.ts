import t from 'tap'
import { MemoryStore, type Session } from '../../../lib/index.js'
import { buildApp, signIn, whoami } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from './policy-fixtures.js'

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
