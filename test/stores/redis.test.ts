import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Cluster, Redis } from 'ioredis'
import { createClient } from 'redis'
import t from 'tap'
import { userIdOf } from '../../lib/core/user-id.js'
import {
  type IoredisCluster,
  RedisStore,
  type RedisStoreClient,
  type RedisStoreOptions,
} from '../../lib/stores/redis/index.js'
import { decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { activeAt, later, newSession, newSessions } from '../../lib/testing/fixtures.js'
import { eventually, hasRedis, onlyKey, startRedis, startRedisCluster } from '../tools/redis-server.js'

const unavailable = { code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503 }

if (hasRedis(t)) {
  const server = await startRedis(t)
  const redis = new Redis(server.port)
  const nodeRedis = await createClient({ url: server.url }).connect()
  const clients = { ioredis: redis, 'node-redis': nodeRedis }
  t.teardown(async () => {
    await redis.quit()
    await nodeRedis.close()
  })
  t.beforeEach(async () => {
    await redis.flushall()
  })

  t.test('options: what is wrong is named', async (t) => {
    for (const [options, name] of [
      [{ prefix: '' }, 'prefix'],
      [{ prefix: 1 }, 'prefix'],
      [{ prefix: '\ud800' }, 'prefix'],
      [{ grace: 0 }, 'grace'],
      [{ grace: '5m' }, 'grace'],
      [{ indexedMetadata: 'device' }, 'indexedMetadata'],
      [{ indexedMetadata: [1] }, 'indexedMetadata\\[0\\]'],
      [{ indexedMetadata: ['a', '\ud800'] }, 'indexedMetadata\\[1\\]'],
      [{ indexedMetadata: ['"'] }, 'indexedMetadata\\[0\\]'],
      [{ upsertUser: true }, 'upsertUser'],
      [{ ttl: 1 }, 'RedisStore.ttl'],
    ] as [RedisStoreOptions, string][]) {
      t.throws(() => new RedisStore(redis, options), {
        code: 'GOSESH_ERR_OPTION',
        message: new RegExp(`^Option ${name} `),
      })
    }
  })

  t.test('client: what is none is refused and not shown', async (t) => {
    for (const client of [undefined, null, {}, 'redis://:secret@127.0.0.1', { password: 'secret' }]) {
      try {
        new RedisStore(client as unknown as RedisStoreClient)
        t.fail('was taken')
      } catch (error) {
        t.match(error, { code: 'GOSESH_ERR_OPTION', message: /ioredis/ })
        t.notMatch((error as Error).message, 'secret')
      }
    }
  })

  t.test('client: gets an error listener where it has none, and no second one', async (t) => {
    const client = new Redis(server.port, { lazyConnect: true })
    new RedisStore(client)
    new RedisStore(client)
    t.equal(client.listenerCount('error'), 1)
    const ownClient = createClient()
    const own = (): void => {}
    ownClient.on('error', own)
    new RedisStore(ownClient)
    t.same(ownClient.listeners('error'), [own])
  })

  t.test('keys: begin with the prefix; neither ids nor braces of users show in them', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession({ userId: '{a}:b*' })
    await store.createSession(session)
    t.equal(await onlyKey(redis, 'gosesh:session:'), `gosesh:session:{${session.id}}`)
    t.match(await onlyKey(redis, 'gosesh:user-sessions:'), /^gosesh:user-sessions:[\w-]{43}$/)
    await new RedisStore(redis, { prefix: 'other:' }).createSession(session)
    t.equal(await onlyKey(redis, 'other:session:'), `other:session:{${session.id}}`)
    t.equal(await redis.dbsize(), 4)
  })

  for (const [name, client] of Object.entries(clients)) {
    t.test(`${name}: a read is one command and a batch a few, and reading writes nothing`, async (t) => {
      const store = new RedisStore(client)
      const sessions = newSessions(1_000)
      await Promise.all(sessions.map((session) => store.createSession(session)))
      await server.command('CONFIG', 'RESETSTAT')
      for (const { id } of sessions) await store.getSession(id)
      const { get, info, 'config|resetstat': _, ...others } = await server.commandCounts()
      t.equal(get, 1_000)
      t.same(others, {})

      const batch = newSessions(4_000)
        .concat(sessions)
        .map((session) => [session.id, new Date()] as const)
      await store.batchRecordActivity(new Map(batch.slice(0, 1)))
      await server.command('CONFIG', 'RESETSTAT')
      t.equal(await store.batchRecordActivity(new Map(batch)), 1_000)
      t.equal((await server.commandCounts()).evalsha, 100)
    })

    t.test(`${name}: an empty batch makes no call`, async (t) => {
      const store = new RedisStore(client)
      await server.command('CONFIG', 'RESETSTAT')
      t.equal(await store.batchRecordActivity(new Map()), 0)
      const { info, 'config|resetstat': _, ...others } = await server.commandCounts()
      t.same(others, {})
    })

    t.test(`${name}: a server that forgot the scripts is told them again`, async (t) => {
      const store = new RedisStore(client)
      const sessions = newSessions(600)
      await Promise.all(sessions.map((session) => store.createSession(session)))
      await server.command('SCRIPT', 'FLUSH')
      t.equal(await store.batchRecordActivity(new Map(sessions.map(({ id }) => [id, new Date()]))), 600)
      await server.command('SCRIPT', 'FLUSH')
      t.equal(await store.deleteUserSessions('user'), 600)
    })

    t.test(`${name}: an account with the documented permissions is enough`, async (t) => {
      const docs = readFileSync(new URL('../../docs/store-redis.md', import.meta.url), 'utf8')
      const [line = ''] = /^ACL SETUSER gosesh .*$/m.exec(docs) ?? []
      await server.command(...line.split(' '))
      const limited =
        client === redis
          ? new Redis(server.port, { username: 'gosesh', password: 'password' })
          : await createClient({ url: server.url, username: 'gosesh', password: 'password' }).connect()
      t.teardown(() => ('close' in limited ? limited.close() : limited.quit()))
      const store = new RedisStore(limited)
      const [session, other] = [newSession(), newSession()]
      await store.upsertUser('oidc|1')
      await store.createSession(session)
      await store.createSession(other)
      await t.rejects(store.createSession({ ...session, userId: 'else' }), {
        code: 'GOSESH_ERR_SESSION_EXISTS',
      })
      const moved = activeAt(session, later(session.lastActivityAt, 1))
      t.equal(await store.extendSession(session.id, moved), true)
      t.equal(await store.batchRecordActivity(new Map([[session.id, new Date()]])), 1)
      t.equal((await store.getSession(session.id))?.userId, 'user')
      const absoluteDeadline = later(session.absoluteDeadline, 1)
      t.equal(await store.updateSession(session.id, 1, { absoluteDeadline }), 'updated')
      t.equal(await store.deleteUser(userIdOf('oidc|1')), true)
      t.equal(await store.deleteSession(other.id), true)
      t.equal((await store.listUserSessions('user')).length, 1)
      t.equal(await store.deleteUserSessions('user'), 1)
      await store.createSession(session)
      t.equal(await store.deleteAllSessions(), 1)
      await store.createSession(newSession({ metadata: { oidc_sub: 'ada' } }))
      t.equal((await store.deleteSessionsByMetadata({ oidc_sub: 'ada' })).length, 1)
      const code = newDeviceCode()
      t.equal(await store.deviceCodes.createDeviceCode(code), true)
      t.equal(await store.deviceCodes.createDeviceCode({ ...newDeviceCode(), id: code.id }), false)
      t.equal(
        await store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: new Date() }),
        true,
      )
      t.equal(await store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')), true)
      t.equal((await store.deviceCodes.findDeviceCode(code.userCodeId))?.userId, 'ada')
      t.equal((await store.deviceCodes.consumeDeviceCode(code.id))?.userId, 'ada')
      await t.rejects(new RedisStore(limited, { prefix: 'not-ours:' }).getSession(session.id), unavailable)
    })
  }

  t.test('users: are kept with their auth provider id, without expiry', async (t) => {
    const store = new RedisStore(redis)
    const userId = await store.upsertUser('oidc|1')
    t.equal(userId, userIdOf('oidc|1'))
    const first = await redis.hgetall(`gosesh:user:${userId}`)
    t.match(first, { authProviderId: 'oidc|1', createdAt: /^\d{13}$/, lastSeenAt: first.createdAt })
    await eventually('the clock moves', async () => Date.now() > Number(first.createdAt))
    await store.upsertUser('oidc|1')
    const second = await redis.hgetall(`gosesh:user:${userId}`)
    t.equal(second.createdAt, first.createdAt)
    t.ok(Number(second.lastSeenAt) > Number(first.lastSeenAt))
    t.equal(await redis.pttl(`gosesh:user:${userId}`), -1)
  })

  t.test('users: an application with its own keeps none in Redis', async (t) => {
    const store = new RedisStore(redis, { upsertUser: async (authProviderId) => `own ${authProviderId}` })
    t.equal(await store.upsertUser('oidc|1'), 'own oidc|1')
    t.equal(await redis.dbsize(), 0)
  })

  t.test('cluster: a batch neither waits for each session nor is sent all at once', async (t) => {
    const nodes = await startRedisCluster(t)
    const cluster = new Cluster(nodes.map(({ host, port }) => ({ host, port })))
    t.teardown(() => cluster.quit())
    let [calls, most, underWay] = [0, 0, 0]
    const counting: IoredisCluster = {
      get: (key) => cluster.get(key),
      eval: (...args) => cluster.eval(...args),
      evalsha: async (...args) => {
        calls++
        most = Math.max(most, ++underWay)
        return await cluster.evalsha(...args).finally(() => underWay--)
      },
      nodes: (role) => cluster.nodes(role),
      on: () => {},
      listenerCount: () => 1,
    }
    const store = new RedisStore(counting, { prefix: `${randomUUID()}:` })
    const sessions = newSessions(5_000)
    t.equal(await store.batchRecordActivity(new Map(sessions.map(({ id }) => [id, new Date()]))), 0)
    t.equal(calls, 5_000)
    t.equal(most, 100)
  })
}
