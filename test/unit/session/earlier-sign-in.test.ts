import t from 'tap'
import { MemoryStore } from '../../../lib/index.js'
import { buildApp, cookieOf, whoami } from '../../tools/app.js'

const minute = 60_000
const day = 1_440 * minute
const now = Date.parse('2030-01-01T00:00:00Z')

function steppedClock() {
  let at = now
  return {
    now: () => at,
    forward(ms: number) {
      at += ms
    },
  }
}

t.test('a session of an earlier sign-in', async (t) => {
  t.test('ends as long after that as any other, is idle from now on, and is no recent sign-in', async (t) => {
    const clock = steppedClock()
    const app = buildApp(t, { clock })
    app.post('/carry', async (_request, reply) =>
      reply.signIn('ada', {
        createdAt: new Date(now - 2 * day),
        absoluteTimeout: 3 * day,
        idleTimeout: 20 * minute,
      }),
    )
    app.register(async (scope) => {
      scope.get('/recent', { onRequest: app.requireRecentSignIn(day) }, async () => 'recent')
    })
    const response = await app.inject({ method: 'POST', url: '/carry' })
    t.match(response.json(), {
      createdAt: '2029-12-30T00:00:00.000Z',
      lastActivityAt: '2030-01-01T00:00:00.000Z',
      idleDeadline: '2030-01-01T00:20:00.000Z',
      absoluteDeadline: '2030-01-02T00:00:00.000Z',
    })
    t.equal(response.cookies[0]?.maxAge, day / 1_000, 'of the cookie what is left')
    const cookie = cookieOf(response)
    t.match((await app.inject({ url: '/recent', headers: { cookie } })).json(), {
      code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT',
    })
    for (let minutes = 0; minutes < 1_439; minutes += 15) {
      t.ok(await whoami(app, cookie))
      clock.forward(15 * minute)
    }
    t.equal(await whoami(app, cookie), null)
  })

  t.test('is refused if it is in the future, ended already, or no Date', async (t) => {
    const app = buildApp(t, { clock: steppedClock(), maxAge: 10 * day, notBefore: new Date(now - 5 * day) })
    await app.ready()
    const create = (createdAt: unknown) =>
      app.gosesh.createSession('ada', {
        createdAt: createdAt as Date,
        absoluteTimeout: 3 * day,
        idleTimeout: null,
      })
    for (const [createdAt, message] of [
      [
        new Date(now + 1),
        /^Option createdAt is 2030-01-01T00:00:00.001Z; expected a time that is not in the future/,
      ],
      [
        new Date(now - 3 * day),
        /^Option createdAt .* expected a time since which a session would still be alive/,
      ],
      [new Date(Number.NaN), /^Option createdAt is Invalid Date; expected a valid Date/],
      [now, /^Option createdAt .* expected a valid Date/],
      [null, /^Option createdAt is null; expected a valid Date/],
    ] as const) {
      await t.rejects(create(createdAt), { code: 'GOSESH_ERR_OPTION', message })
    }
    t.ok(await create(new Date(now - 3 * day + 1)))
    t.ok(await create(new Date(now)))
    const long = { createdAt: new Date(now - 6 * day), absoluteTimeout: 20 * day }
    await t.rejects(app.gosesh.createSession('ada', long), { code: 'GOSESH_ERR_OPTION' }, 'notBefore')
    t.equal((await app.gosesh.listUserSessions('ada')).length, 2)
  })

  t.test('ends others past maxSessionsPerUser, but for one that is created at the same moment', async (t) => {
    const clock = steppedClock()
    const store = new MemoryStore()
    const app = buildApp(t, { clock, store, maxSessionsPerUser: 1 })
    await app.ready()
    const createdAt = new Date(now - minute)
    const { session: old } = await app.gosesh.createSession('ada')
    clock.forward(minute)
    const { session: carried } = await app.gosesh.createSession('ada', { createdAt })
    t.equal(await app.gosesh.getSession(old.id), null)
    const started = await Promise.all([
      app.gosesh.createSession('ada'),
      app.gosesh.createSession('ada', { createdAt }),
    ])
    t.equal(await app.gosesh.getSession(carried.id), null)
    t.ok((await app.gosesh.getSession(started[0].session.id)) !== null)
  })
})
