import { createHash } from 'node:crypto'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { reports } from '../../../examples/recipes/auth.js'
import gosesh, { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { addRoutes, signIn, unknownToken } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'

function guardedApp(t: Test) {
  let now = Date.now()
  const store = new WatchedStore()
  const app = Fastify()
  t.teardown(() => app.close())
  const credentials = [bearerCredential(), cookieCredential()]
  app.register(gosesh, { store, credentials, clock: { now: () => now } })
  app.register(reports, {
    apiKeyDigests: new Set([createHash('sha256').update('a key').digest('base64url')]),
    isAdministrator: async (userId) => userId === 'root',
  })
  addRoutes(app)
  const send = (method: 'GET' | 'DELETE', headers: Record<string, string> = {}) =>
    app.inject({ method, url: '/reports', headers })
  return {
    app,
    store,
    send,
    wait(ms: number) {
      now += ms
    },
  }
}

t.test('a session or an API key opens the door, and nothing else does', async (t) => {
  const { app, store, send } = guardedApp(t)
  const { cookie } = await signIn(app, { user: 'ada' })
  t.same((await send('GET', { cookie })).json(), { reader: 'ada' })
  t.same((await send('GET', { 'x-api-key': 'a key' })).json(), { reader: 'a program' })
  t.equal((await send('GET', { 'x-api-key': 'another key' })).statusCode, 401)
  t.equal((await send('GET', { cookie: `__Host-session=${unknownToken}` })).statusCode, 401)
  store.fail('getSession')
  t.equal((await send('GET', { cookie })).statusCode, 503, 'an outage is not taken for a missing session')
})

t.test('several conditions at once: a recent sign-in, of an administrator', async (t) => {
  const { app, send, wait } = guardedApp(t)
  const ada = await signIn(app, { user: 'ada' })
  const root = await signIn(app, { user: 'root' })
  const nobody = await send('DELETE', { 'x-api-key': 'a key' })
  t.match(nobody.json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
  t.equal(nobody.headers['www-authenticate'], 'Bearer')
  t.match((await send('DELETE', { cookie: ada.cookie })).json(), {
    statusCode: 403,
    message: /administrators/,
  })
  t.same((await send('DELETE', { cookie: root.cookie })).json(), { deletedBy: 'root' })
  wait(5 * 60_000 + 1)
  const late = await send('DELETE', { cookie: root.cookie })
  t.match(late.json(), { statusCode: 401, code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' })
  t.match(late.headers['www-authenticate'], /error="insufficient_user_authentication", max_age=300$/)
})
