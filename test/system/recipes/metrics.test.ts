import Fastify from 'fastify'
import t from 'tap'
import { metrics } from '../../../examples/recipes/metrics.js'
import gosesh from '../../../lib/index.js'
import { addRoutes, signIn, unknownToken, whoami } from '../../tools/app.js'
import { LoggedStore } from '../../tools/logged-store.js'
import { WatchedStore } from '../../tools/store.js'

t.test('what gosesh does is counted, and forgotten by the channels once the app has closed', async (t) => {
  const store = new WatchedStore()
  const app = Fastify()
  app.register(gosesh, { store, activityTracking: {} })
  app.register(metrics)
  addRoutes(app)
  const { cookie } = await signIn(app)
  for (let i = 0; i < 3; i++) await whoami(app, cookie)
  await whoami(app, `__Host-session=${unknownToken}`)
  const pending = (await app.inject('/metrics')).body
  t.match(pending, /^gosesh_pending_sessions 1$/m)
  await app.gosesh.activityTracker?.flush()
  store.fail('createSession')
  await app.inject({ method: 'POST', url: '/login', body: {} })
  const evil = { cookie, origin: 'https://evil.example' }
  await app.inject({ method: 'POST', url: '/logout', headers: evil })
  await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })

  const response = await app.inject('/metrics')
  t.match(response.headers['content-type'], /^text\/plain; version=0\.0\.4/)
  for (const line of [
    'gosesh_verify_seconds_count{outcome="verified"} 5',
    'gosesh_verify_seconds_count{outcome="absent"} 1',
    'gosesh_sign_ins_total{error=""} 1',
    'gosesh_sign_ins_total{error="GOSESH_ERR_STORE_UNAVAILABLE"} 1',
    'gosesh_session_ends_total{reason="signedOut"} 1',
    'gosesh_cross_origin_refusals_total 1',
    'gosesh_flush_seconds_count{failed="false"} 1',
    'gosesh_pending_sessions 0',
  ]) {
    t.ok(response.body.includes(`\n${line}\n`), line)
  }
  await app.close()
})

t.test('with the session cache its state is shown, too', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { store: new LoggedStore(), sessionCache: {} })
  app.register(metrics)
  addRoutes(app)
  const { cookie } = await signIn(app)
  for (let i = 0; i < 3; i++) await whoami(app, cookie)
  const { body } = await app.inject('/metrics')
  for (const line of ['gosesh_cache_sessions 1', 'gosesh_cache_hits 2', 'gosesh_cache_misses 1']) {
    t.ok(body.includes(`\n${line}\n`), line)
  }
  t.match(body, /^gosesh_cache_proven_age_seconds 0\.\d+/m)
})
