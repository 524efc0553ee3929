import type { FastifyInstance } from 'fastify'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import type { SessionStore } from '../../../lib/index.js'
import { RedisStore } from '../../../lib/stores/redis/index.js'
import { makeStore } from '../../stores/sqlite-fixtures.js'
import { freshStore } from '../../tools/postgres-fixtures.js'
import { startPostgres } from '../../tools/postgres-server.js'
import { eventually, hasRedis, startRedis } from '../../tools/redis-server.js'
import { type Client, listen } from './app.js'
import { dataOf, logIn, registerPassport, users } from './passport-app.js'

// Both first: without a test under way, the file would end while a server starts.
const postgres = await startPostgres(t)
const redis = hasRedis(t) ? await startRedis(t, { appendonly: 'yes', appendfsync: 'always' }) : null

function routes(app: FastifyInstance, before: () => Promise<unknown> = async () => {}): void {
  const passport = registerPassport(app)
  app.post('/login', { preValidation: passport.authenticate('local') }, async (request) => request.user)
  app.post('/logout', async (request) => {
    await request.logOut()
    return 'out'
  })
  app.post('/sign-in', async (_request, reply) => (await reply.signIn('ada', { carry: ['cart'] })).id)
  app.post('/set', async (request) => {
    Object.assign(dataOf(request), request.body)
    await before()
    return 'set'
  })
  app.post('/renew', async (request) => {
    await (request.session as unknown as { regenerate(keys: string[]): Promise<void> }).regenerate(['cart'])
    await before()
    return 'renewed'
  })
  app.get('/data', async (request) => ({ user: request.user ?? undefined, ...dataOf(request) }))
}

const dataFor = async (client: Client) => JSON.parse((await client.get('/data')).body)

/** A visitor, a login of passport, a sign-in of gosesh, and many requests at once. */
async function story(t: Test, store: SessionStore): Promise<void> {
  const { app, open } = await listen(t, routes, { store })
  const client = open()
  await client.post('/set', { cart: 'tea' })
  await Promise.all(Array.from({ length: 10 }, (_, i) => client.post('/set', { [`key${i}`]: `${i}` })))
  t.equal(Object.keys(await dataFor(client)).length, 11)
  await logIn(client, 'bo')
  t.same(await dataFor(client), { passport: 'bo', user: users.get('bo') })
  await client.post('/logout')
  t.same(await dataFor(client), {})
  await client.post('/set', { cart: 'milk', planted: 'x' })
  const { body: id } = await client.post('/sign-in')
  t.same(await dataFor(client), { cart: 'milk' })
  await client.post('/set', { other: '1' })
  const before = client.cookies.get('__Host-session')
  await client.post('/renew')
  t.not(client.cookies.get('__Host-session'), before)
  t.same(await app.gosesh.sessionData(id).all(), { cart: 'milk' })
}

t.test('SQLite', async (t) => story(t, (await makeStore(t)).store))

if (postgres !== null) t.test('PostgreSQL', async (t) => story(t, (await freshStore(t, postgres)).store))

if (redis !== null) {
  t.test('Redis', async (t) => {
    const client = new Redis(redis.port)
    t.teardown(() => client.quit())
    await story(t, new RedisStore(client))
  })

  t.test(
    'Redis that goes down between loading and saving: 503, no new cookie, and all as before',
    async (t) => {
      const client = new Redis(redis.port, { maxRetriesPerRequest: 1, commandTimeout: 500 })
      client.on('error', () => {})
      t.teardown(() => client.disconnect())
      let fault: () => Promise<unknown> = async () => {}
      const { open } = await listen(t, (app) => routes(app, () => fault()), { store: new RedisStore(client) })
      const [visitor, user, nobody] = [open(), open(), open()]
      await visitor.post('/set', { cart: 'tea' })
      await user.post('/sign-in')
      await user.post('/set', { cart: 'milk' })
      const cookies = [visitor, user].map((one) => [...one.cookies])
      for (const [one, path] of [
        [visitor, '/set'],
        [visitor, '/renew'],
        [user, '/renew'],
        [user, '/set'],
        [nobody, '/set'],
      ] as const) {
        fault = () => redis.stop()
        const { status, body } = await one.post(path, { cart: 'other' })
        t.match([status, body], [503, /GOSESH_ERR_STORE_UNAVAILABLE/], path)
        fault = async () => {}
        await redis.start()
        await eventually('the client has reconnected', async () =>
          client.ping().then(
            () => true,
            () => false,
          ),
        )
      }
      t.same(
        [visitor, user].map((one) => [...one.cookies]),
        cookies,
      )
      t.equal(nobody.cookies.size, 0)
      t.same(await dataFor(visitor), { cart: 'tea' })
      t.same(await dataFor(user), { cart: 'milk' })
    },
  )
}
