import t from 'tap'
import { bearerCredential, type GoseshOptions } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { minute, steppedClock } from './policy-fixtures.js'

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
