import { once } from 'node:events'
import fastifyRedis from '@fastify/redis'
import Fastify, { type FastifyInstance } from 'fastify'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import t, { type Test } from 'tap'
import gosesh, { type SessionRecord } from '../../lib/index.js'
import { RedisStore, type RedisStoreClient } from '../../lib/stores/redis/index.js'
import { assertKept, decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { later, newSession, newSessions } from '../../lib/testing/fixtures.js'
import { addRoutes, cookieOf } from '../tools/app.js'
import { dataCalls } from '../tools/data-calls.js'
import {
  eventually,
  hasRedis,
  type RedisServer,
  startRedis,
  startRedisCluster,
} from '../tools/redis-server.js'

/** The settings that docs/store-redis.md recommends, so that no call waits for long. */
const ioredisOptions = { commandTimeout: 1_000, maxRetriesPerRequest: 1 }
const nodeRedisOptions = {
  disableOfflineQueue: true,
  pingInterval: 500,
  socket: {
    connectTimeout: 1_000,
    socketTimeout: 1_000,
    reconnectStrategy: (retries: number) => Math.min(50 * 2 ** retries, 1_000),
  },
}
const persistent = { appendonly: 'yes', appendfsync: 'always' }

/** Every call of the store fails with its code, and none waits for longer than 5 seconds. */
async function assertUnavailable(t: Test, store: RedisStore, session: SessionRecord): Promise<void> {
  const start = Date.now()
  const code = newDeviceCode()
  const calls: Record<string, Promise<unknown>> = {
    upsertUser: store.upsertUser('oidc|1'),
    createSession: store.createSession(newSession()),
    getSession: store.getSession(session.id),
    extendSession: store.extendSession(session.id, session),
    deleteSession: store.deleteSession(session.id),
    deleteUserSessions: store.deleteUserSessions(String(session.userId)),
    batchRecordActivity: store.batchRecordActivity(new Map([[session.id, new Date()]])),
    listUserSessions: store.listUserSessions(String(session.userId)),
    deleteAllSessions: store.deleteAllSessions(),
    deleteSessionsByMetadata: store.deleteSessionsByMetadata({ oidc_sub: 'ada' }),
    ...Object.fromEntries(Object.entries(dataCalls(store, session.id)).map(([name, call]) => [name, call()])),
    createDeviceCode: store.deviceCodes.createDeviceCode(code),
    getDeviceCode: store.deviceCodes.getDeviceCode(code.id),
    findDeviceCode: store.deviceCodes.findDeviceCode(code.userCodeId),
    recordDevicePoll: store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: new Date() }),
    decideDeviceCode: store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')),
    consumeDeviceCode: store.deviceCodes.consumeDeviceCode(code.id),
  }
  await Promise.all(
    Object.entries(calls).map(([name, call]) =>
      t.rejects(call, { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: Error }, name),
    ),
  )
  t.ok(Date.now() - start < 5_000, `${Date.now() - start} ms`)
}

async function works(store: RedisStore): Promise<boolean> {
  return await store.getSession(newSession().id).then(
    () => true,
    () => false,
  )
}

/** A crash and a stall: calls fail in bounded time, the process lives, and the sessions are there afterwards. */
function faults(t: Test, connect: (server: RedisServer, t: Test) => Promise<RedisStoreClient>): void {
  t.test(
    'a server that was killed: calls fail in bounded time, and its sessions come back with it',
    async (t) => {
      const server = await startRedis(t, persistent)
      const store = new RedisStore(await connect(server, t))
      const session = newSession({ metadata: { oidc_sub: 'bob' } })
      await store.createSession(session)
      const code = newDeviceCode()
      await store.deviceCodes.createDeviceCode(code)
      await server.kill()
      await assertUnavailable(t, store, session)
      await server.start()
      await eventually('the store works', () => works(store))
      t.same(await store.getSession(session.id), session)
      const at = later(session.lastActivityAt, 1_000)
      t.equal(await store.batchRecordActivity(new Map([[session.id, at]])), 1, 'scripts and all')
      t.same(
        (await store.listUserSessions('user')).map(({ id }) => id),
        [session.id],
      )
      await assertKept(store.deviceCodes, code)
      t.same(await store.deleteSessionsByMetadata({ oidc_sub: 'bob' }), [session.id])
    },
  )

  t.test('a server that stalls: calls fail in bounded time, and work once it goes on', async (t) => {
    const server = await startRedis(t)
    const store = new RedisStore(await connect(server, t))
    const session = newSession({ userId: 'ada' })
    const probe = newSession()
    await store.createSession(session)
    server.pause()
    await assertUnavailable(t, store, probe)
    server.resume()
    await eventually('the store works', () => works(store))
    await store.createSession(probe)
    t.same(await store.getSession(probe.id), probe)
  })
}

if (hasRedis(t)) {
  t.test('ioredis', async (t) => {
    faults(t, async (server, t) => {
      const client = new Redis(server.port, ioredisOptions)
      t.teardown(() => client.disconnect())
      return client
    })
  })

  t.test('node-redis', async (t) => {
    faults(t, async (server, t) => {
      const client = createClient({ url: server.url, ...nodeRedisOptions })
      t.teardown(() => client.destroy())
      const store = client as RedisStoreClient
      // connect() rejects, and emits an error, where the server is away; the store is what listens.
      new RedisStore(store)
      await client.connect()
      return store
    })
  })

  t.test(
    'a cluster that lost a node, or all: calls fail in bounded time, other nodes work, and all sessions come back',
    async (t) => {
      const nodes = await startRedisCluster(t, { ...persistent, 'cluster-require-full-coverage': 'no' })
      const ioredis = new Cluster(
        nodes.map(({ host, port }) => ({ host, port })),
        { enableOfflineQueue: false, maxRedirections: 4, redisOptions: ioredisOptions },
      )
      const nodeRedis = createCluster({
        rootNodes: nodes.map(({ url }) => ({ url })),
        defaults: nodeRedisOptions,
      })
      t.teardown(() => {
        ioredis.disconnect()
        nodeRedis.destroy()
      })
      const stores = [new RedisStore(ioredis), new RedisStore(nodeRedis)]
      await Promise.all([once(ioredis, 'ready'), nodeRedis.connect()])
      const sessions = newSessions(30).map((session, i) => ({ ...session, userId: `user${i}` }))
      await Promise.all(sessions.map((session) => stores[0]?.createSession(session)))
      await nodes[2]?.kill()
      for (const store of stores) {
        const start = Date.now()
        const reads = await Promise.allSettled(sessions.map(({ id }) => store.getSession(id)))
        t.ok(Date.now() - start < 6_000, `${Date.now() - start} ms`)
        const failed = reads.filter((read) => read.status === 'rejected')
        t.ok(failed.length > 0 && failed.length < sessions.length, `${failed.length} of 30 fail`)
        for (const { reason } of failed) t.match(reason, { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
        for (const read of reads) if (read.status === 'fulfilled') t.not(read.value, null)
      }
      await nodes[2]?.start()
      for (const store of stores) {
        await eventually('all sessions are there', async () => {
          const reads = await Promise.allSettled(sessions.map(({ id }) => store.getSession(id)))
          return reads.every((read) => read.status === 'fulfilled' && read.value !== null)
        })
        t.equal(await store.batchRecordActivity(new Map(sessions.map(({ id }) => [id, new Date()]))), 30)
      }
    },
  )

  t.test('@fastify/redis', async (t) => {
    const server = await startRedis(t, persistent)
    const build = (t: Test): FastifyInstance => {
      const app = Fastify()
      app.register(fastifyRedis, { host: server.host, port: server.port, ...ioredisOptions })
      app.register(gosesh, { store: (app) => new RedisStore(app.redis), activityTracking: {} })
      addRoutes(app)
      t.teardown(() => app.close())
      return app
    }

    t.test('signing in, verifying, signing out; closing writes the last activity first', async (t) => {
      const app = build(t)
      const cookie = cookieOf(await app.inject({ method: 'POST', url: '/login' }))
      await eventually('the clock moves', async () => {
        const { lastActivityAt, createdAt } = (await app.inject({ url: '/me', headers: { cookie } })).json()
        return lastActivityAt > createdAt
      })
      const { id, lastActivityAt } = (await app.inject({ url: '/me', headers: { cookie } })).json()
      await app.close()

      const next = build(t)
      await next.ready()
      const stored = await next.gosesh.store.getSession(id)
      t.ok(stored !== null && stored.lastActivityAt.toISOString() >= lastActivityAt)
      await next.inject({ method: 'POST', url: '/logout', headers: { cookie } })
      t.equal((await next.inject({ url: '/me', headers: { cookie } })).statusCode, 401)
    })

    t.test('an outage answers 503, keeps the cookie, and is over with the server', async (t) => {
      const app = build(t)
      const cookie = cookieOf(await app.inject({ method: 'POST', url: '/login' }))
      await server.kill()
      const response = await app.inject({ url: '/me', headers: { cookie } })
      t.equal(response.statusCode, 503)
      t.equal(response.headers['set-cookie'], undefined)
      await server.start()
      await eventually('requests are answered', async () => {
        return (await app.inject({ url: '/me', headers: { cookie } })).statusCode === 200
      })
      t.equal((await app.inject({ url: '/me', headers: { cookie } })).json().userId, 'ada')
    })
  })
}
