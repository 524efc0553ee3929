import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { redisSessions } from '../../../examples/recipes/redis.js'
import { addRoutes, signIn, whoami } from '../../tools/app.js'
import { eventually, hasRedis, startRedis } from '../../tools/redis-server.js'

if (hasRedis(t)) {
  const server = await startRedis(t, { appendonly: 'yes', appendfsync: 'always' })

  function start(t: Test) {
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(redisSessions, { url: server.url })
    addRoutes(app)
    return app
  }

  t.test('sessions are in the Redis of the application, and outlive its process', async (t) => {
    const app = start(t)
    const { cookie, session } = await signIn(app, { user: 'ada' })
    t.equal((await app.redis.keys('*')).filter((key) => key.includes(session.id)).length, 1)
    await eventually('a millisecond has gone by', async () => {
      return Date.now() > Date.parse(String(session.createdAt))
    })
    await whoami(app, cookie)
    t.equal(app.gosesh.activityTracker?.pendingCount, 1, 'activity that is not written yet')
    await app.close()

    const next = start(t)
    const found = await whoami(next, cookie)
    t.match(found, { id: session.id, userId: 'ada' })
    t.ok(String(found?.lastActivityAt) > String(session.lastActivityAt), 'written before the client quit')
    await next.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.equal((await next.redis.keys('*')).filter((key) => key.includes(session.id)).length, 0)
  })

  t.test('an outage of Redis is a 503, and no sign-out', async (t) => {
    const app = start(t)
    const { cookie } = await signIn(app)
    await server.stop()
    const response = await app.inject({ url: '/me', headers: { cookie } })
    t.match(response.json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    t.same(response.cookies, [])
    await server.start()
    await eventually('the client is connected again', async () => app.redis.status === 'ready')
    t.match(await whoami(app, cookie), { userId: 'ada' })
  })
}
