import t from 'tap'
import { bearerCredential, cookieCredential, type GoseshOptions } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from './policy-fixtures.js'

function setUp(t: Parameters<typeof buildApp>[0], options: GoseshOptions = {}) {
  const clock = steppedClock()
  const store = new WatchedStore()
  const app = buildApp(t, { clock, store, ...options })
  app.register(async (scope) => {
    const session = { signedInWithin: 5 * minute, factors: ['otp'] }
    scope.get('/recent', { config: { session: { signedInWithin: 5 * minute } } }, async () => 'in')
    scope.get('/otp', { config: { session: { factors: ['otp'] } } }, async () => 'in')
    scope.get('/both', { config: { session } }, async (request) => request.requireSession().userId)
  })
  const get = (url: string, headers: Record<string, string>) => app.inject({ url, headers })
  const confirm = async (cookie: string, factors: string[]) =>
    cookieOf(await app.inject({ method: 'POST', url: '/confirm', headers: { cookie }, body: { factors } }))
  return { app, clock, store, get, confirm }
}

t.test('signedInWithin lets a session through whose user proved who they are within it', async (t) => {
  const { app, clock, get, confirm } = setUp(t)
  const { cookie } = await signIn(app)
  clock.forward(5 * minute)
  t.equal((await get('/recent', { cookie })).body, 'in')
  clock.forward(1)
  t.match((await get('/recent', { cookie })).json(), {
    statusCode: 401,
    code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT',
  })
  const renewed = await confirm(cookie, [])
  t.equal((await get('/recent', { cookie: renewed })).body, 'in', 're-authenticating is what it asks for')
  clock.forward(-minute)
  t.equal((await get('/recent', { cookie: renewed })).statusCode, 401, 'a time in the future is not recent')
})

t.test('factors lets a session through that has each of the methods', async (t) => {
  const { app, get, confirm } = setUp(t)
  const { cookie } = await signIn(app, { factors: ['pwd'] })
  t.match((await get('/otp', { cookie })).json(), { statusCode: 401, code: 'GOSESH_ERR_FACTOR_MISSING' })
  t.equal((await get('/both', { cookie })).statusCode, 401)
  const renewed = await confirm(cookie, ['otp'])
  for (const url of ['/otp', '/both']) t.equal((await get(url, { cookie: renewed })).statusCode, 200, url)
})

t.test('with both, each factor has to be as recent as the proof', async (t) => {
  const { app, clock, get, confirm } = setUp(t)
  const { cookie } = await signIn(app, { factors: ['pwd', 'otp'] })
  t.equal((await get('/both', { cookie })).statusCode, 200)
  clock.forward(6 * minute)
  const byPassword = await confirm(cookie, ['pwd'])
  t.match((await get('/both', { cookie: byPassword })).json(), { code: 'GOSESH_ERR_FACTOR_MISSING' })
  t.equal((await get('/otp', { cookie: byPassword })).statusCode, 200, 'without a time an old one will do')
  const byCode = await confirm(byPassword, ['otp'])
  t.equal((await get('/both', { cookie: byCode })).statusCode, 200)
})

t.test(
  'the workaround that was a hole: changed metadata is no proof, and signedInWithin still refuses',
  async (t) => {
    const { app, clock, get } = setUp(t)
    const { cookie, session } = await signIn(app, { metadata: { role: 'user' } })
    clock.forward(6 * minute)
    t.equal(await app.gosesh.updateMetadata(session.id, { role: 'admin', otp: 'true' }), true)
    t.equal((await get('/recent', { cookie })).statusCode, 401)
    t.match((await get('/whoami', { cookie })).json(), {
      session: { id: session.id, metadata: { role: 'admin' } },
    })
  },
)

t.test('either makes a session required, and a request without one is told so', async (t) => {
  const { get } = setUp(t)
  for (const url of ['/recent', '/otp', '/both']) {
    t.match((await get(url, {})).json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
  }
})

t.test('a bearer client is told what is missing (RFC 9470)', async (t) => {
  const { app, clock, get } = setUp(t, { credentials: [bearerCredential(), cookieCredential()] })
  await app.ready()
  const { token } = await app.gosesh.createSession('ada')
  const authorization = `Bearer ${token}`
  const challenge = 'Bearer error="insufficient_user_authentication"'
  t.equal(
    (await get('/otp', { authorization })).headers['www-authenticate'],
    `${challenge}, acr_values="otp"`,
  )
  clock.forward(6 * minute)
  t.equal((await get('/both', { authorization })).headers['www-authenticate'], `${challenge}, max_age=300`)
})

t.test('a request that is refused keeps nothing alive', async (t) => {
  const { app, store, get } = setUp(t, { activityTracking: {} })
  const { cookie } = await signIn(app)
  await get('/otp', { cookie })
  t.equal(app.gosesh.activityTracker?.pendingCount, 0)
  await get('/recent', { cookie })
  t.equal(app.gosesh.activityTracker?.pendingCount, 1)
  t.notOk(store.counts.extendSession)
})

t.test('with an application’s own error handler the challenge is there, and the session known', async (t) => {
  const { app, get } = setUp(t, { credentials: [bearerCredential()] })
  app.setErrorHandler((error, request, reply) => {
    reply.code(401).send({ code: (error as { code?: string }).code, user: request.session?.userId ?? null })
  })
  await app.ready()
  const { token } = await app.gosesh.createSession('ada')
  const response = await get('/otp', { authorization: `Bearer ${token}` })
  t.same(response.json(), { code: 'GOSESH_ERR_FACTOR_MISSING', user: 'ada' })
  t.match(response.headers['www-authenticate'], /acr_values="otp"/)
  t.equal(response.headers['cache-control'], 'no-store')
})

t.test('a wrong demand fails when the route is declared', async (t) => {
  const app = buildApp(t)
  await app.after()
  for (const [session, message] of [
    [
      { signedInWithin: 0 },
      /^Option config.session.signedInWithin is 0; expected a whole number of milliseconds/,
    ],
    [{ signedInWithin: '5m' }, /^Option config.session.signedInWithin is '5m'/],
    [{ factors: 'otp' }, /^Option config.session.factors is 'otp'; expected an array of at most 20 methods/],
    [{ factors: [] }, /^Option config.session.factors is \[\]; expected one method or more/],
    [{ factors: ['o"tp'] }, /^Option config.session.factors\[0\] is 'o"tp'; expected a method such as pwd/],
    [new Map([['required', true]]), /^Option config.session is Map\(1\).*; expected false or an object/],
    [{ factors: ['otp'], required: false }, /^Option config.session.required is false; expected true/],
  ] as const) {
    const declare = () => app.get('/x', { config: { session: session as never } }, async () => '')
    t.throws(declare, { code: 'GOSESH_ERR_OPTION', message })
  }
})
