import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { confirmation, recently, recentlyWithCode } from '../../../examples/recipes/confirm.js'
import gosesh from '../../../lib/index.js'
import { signInAs } from '../../../lib/testing/index.js'
import { cookieOf } from '../../tools/app.js'

function guardedApp(t: Test) {
  let now = Date.now()
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { clock: { now: () => now } })
  const codes = new Set(['123456'])
  app.register(confirmation, {
    checkPassword: async (userId, password) => userId === 'ada' && password === 'correct horse',
    checkCode: async (_userId, code) => codes.delete(code),
  })
  app.register(async (scope) => {
    scope.post('/email', { config: recently }, async () => 'changed')
    scope.post('/transfer', { config: recentlyWithCode }, async () => 'sent')
  })
  return {
    app,
    wait(ms: number) {
      now += ms
    },
    post: (url: string, cookie: string | null, body: object = {}) =>
      app.inject({ method: 'POST', url, headers: cookie === null ? {} : { cookie }, body }),
  }
}

t.test('a user confirms by their password, and the same session may do what is dangerous', async (t) => {
  const { app, wait, post } = guardedApp(t)
  const ada = await signInAs(app, 'ada', { factors: ['pwd'], metadata: { deviceName: 'Laptop' } })
  t.equal((await post('/email', ada.cookie)).body, 'changed')
  wait(5 * 60_000 + 1)
  t.match((await post('/email', ada.cookie)).json(), { code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' })
  const confirmed = await post('/confirm/password', ada.cookie, { password: 'correct horse' })
  t.match(confirmed.json(), { authenticatedAt: /^\d{4}-/ })
  const cookie = cookieOf(confirmed)
  t.equal((await post('/email', cookie)).body, 'changed')
  t.match((await post('/transfer', cookie)).json(), { code: 'GOSESH_ERR_FACTOR_MISSING' })
  const byCode = cookieOf(await post('/confirm/code', cookie, { code: '123456' }))
  t.equal((await post('/transfer', byCode)).body, 'sent')
  t.match(await app.gosesh.getSession(ada.session.id), {
    metadata: { deviceName: 'Laptop' },
    factors: [{ method: 'pwd' }, { method: 'otp' }],
  })
})

t.test('what is wrong confirms nothing, and leaves the session as it is', async (t) => {
  const { app, wait, post } = guardedApp(t)
  const ada = await signInAs(app, 'ada')
  wait(5 * 60_000 + 1)
  for (const [url, body, status] of [
    ['/confirm/password', { password: 'guess' }, 403],
    ['/confirm/password', {}, 400],
    ['/confirm/code', { code: '000000' }, 403],
  ] as const) {
    const response = await post(url, ada.cookie, body)
    t.equal(response.statusCode, status, url)
    t.equal(response.headers['set-cookie'], undefined)
  }
  t.equal((await post('/confirm/password', null, { password: 'correct horse' })).statusCode, 401)
  t.match((await post('/email', ada.cookie)).json(), { code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' })
})
