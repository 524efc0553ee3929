import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { postgresSessions } from '../../../examples/recipes/postgres.js'
import { addRoutes, signIn, whoami } from '../../tools/app.js'
import { until } from '../../tools/postgres-fixtures.js'
import { startPostgres } from '../../tools/postgres-server.js'

const server = await startPostgres(t)
if (server !== null) {
  const { host, port, user, database } = server.connection
  const connectionString = `postgres://${user}@${host}:${port}/${database}`

  function start(t: Test) {
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(postgresSessions, { connectionString })
    addRoutes(app)
    app.get('/rows', async () => {
      return (await app.pg.query('SELECT user_id, last_activity_at FROM gosesh_sessions')).rows
    })
    return app
  }

  t.test('sessions are in the database of the application, and outlive its process', async (t) => {
    const app = start(t)
    const { cookie, session } = await signIn(app, { user: 'ada' })
    t.match((await app.inject('/rows')).json(), [{ user_id: 'ada' }])
    await until('a millisecond has gone by', async () => Date.now() > Date.parse(String(session.createdAt)))
    await whoami(app, cookie)
    t.equal(app.gosesh.activityTracker?.pendingCount, 1, 'activity that is not written yet')
    await app.close()

    const next = start(t)
    const found = await whoami(next, cookie)
    t.match(found, { id: session.id, userId: 'ada' })
    t.ok(String(found?.lastActivityAt) > String(session.lastActivityAt), 'written before the pool ended')
    await next.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.same((await next.inject('/rows')).json(), [])
  })

  t.test('an outage of the database is a 503, and no sign-out', async (t) => {
    const app = start(t)
    const { cookie } = await signIn(app)
    await server.stop()
    const response = await app.inject({ url: '/me', headers: { cookie } })
    t.match(response.json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    t.same(response.cookies, [])
    await server.start()
    t.match(await whoami(app, cookie), { userId: 'ada' })
  })
}
