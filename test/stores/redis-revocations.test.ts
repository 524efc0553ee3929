import { Cluster, Redis } from 'ioredis'
import t from 'tap'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { createAll, newSession, newSessions } from '../../lib/testing/fixtures.js'
import type { RevocationLog } from '../../types/revocation-log.js'
import { hasRedis, startRedis, startRedisCluster } from '../tools/redis-server.js'

const log = 'gosesh:revocations'

if (hasRedis(t)) {
  const server = await startRedis(t)
  const nodes = await startRedisCluster(t)
  const redis = new Redis(server.port)
  t.teardown(() => redis.quit())
  const store = new RedisStore(redis) as RedisStore & RevocationLog
  t.beforeEach(async () => {
    await redis.flushall()
  })
  const begin = async (): Promise<string> => (await store.readRevocations(null)).cursor

  t.test('cannot tell after FLUSHALL, and goes on from there', async (t) => {
    const session = newSession()
    await store.createSession(session)
    const cursor = await begin()
    t.strictSame((await store.readRevocations(cursor)).entries, [])
    await redis.flushall()
    const answer = await store.readRevocations(cursor)
    t.equal(answer.entries, null)
    t.not(answer.cursor, cursor)
    t.strictSame((await store.readRevocations(answer.cursor)).entries, [])
  })

  t.test('cannot tell if its entry is missing, or is another one', async (t) => {
    const cursor = await begin()
    const [id = ''] = cursor.split(' ')
    const session = newSession()
    await store.createSession(session)
    await store.deleteSession(session.id)
    t.strictSame((await store.readRevocations(cursor)).entries, [{ id: session.id, ended: true }])
    await redis.xdel(log, id)
    t.equal((await store.readRevocations(cursor)).entries, null)
    await redis.del(log)
    await redis.xadd(log, id, 'ended', session.id)
    t.equal((await store.readRevocations(cursor)).entries, null)
  })

  t.test('cannot tell if its entry is missing, although the next one reads the same', async (t) => {
    const session = newSession()
    await store.createSession(session)
    await store.updateSession(session.id, 1, { details: 'once' })
    const cursor = await begin()
    await store.updateSession(session.id, 2, { details: 'twice' })
    await redis.xdel(log, cursor.split(' ')[0] as string)
    t.equal((await store.readRevocations(cursor)).entries, null)
  })

  t.test('cannot tell after more entries than the log keeps', async (t) => {
    const cursor = await begin()
    const sessions = newSessions(10_300)
    await createAll(store, sessions)
    const later = await begin()
    t.equal(later, cursor)
    await store.deleteAllSessions()
    t.ok((await redis.xlen(log)) <= 10_200)
    const answer = await store.readRevocations(cursor)
    t.equal(answer.entries, null)
    t.strictSame((await store.readRevocations(answer.cursor)).entries, [])
  })

  t.test('writes down what ends whether or not anybody reads, and nothing else', async (t) => {
    const session = newSession()
    await store.createSession(session)
    await store.batchRecordActivity(new Map([[session.id, new Date()]]))
    t.equal(await redis.exists(log), 0)
    await store.updateSession(session.id, 1, { details: 'new' })
    await store.deleteSession(session.id)
    await store.deleteSession(session.id)
    const entries = (await redis.xrange(log, '-', '+')).map(([, fields]) => fields)
    t.strictSame(entries, [
      ['changed', session.id],
      ['ended', session.id],
    ])
  })

  t.test('a session that is no more readable ends in the log, too', async (t) => {
    const { id } = newSession()
    const cursor = await begin()
    await redis.set(`gosesh:session:{${id}}`, 'x {"userId":null}')
    t.equal(await store.deleteSession(id), true)
    await redis.lpush(`gosesh:session:{${id}}`, 'x')
    t.equal(await store.deleteSession(id), true)
    t.strictSame((await store.readRevocations(cursor)).entries, [
      { id, ended: true },
      { id, ended: true },
    ])
  })

  t.test('a session whose end cannot be written down does not end', async (t) => {
    const session = newSession()
    await store.createSession(session)
    await redis.set(log, 'no stream')
    await t.rejects(store.deleteSession(session.id), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    t.not(await store.getSession(session.id), null)
    await t.rejects(store.readRevocations(null), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  })

  t.test('on a server that is full, sessions end and are written down', async (t) => {
    const full = await startRedis(t, { 'maxmemory-policy': 'noeviction' })
    const client = new Redis(full.port)
    t.teardown(() => client.quit())
    const other = new RedisStore(client) as RedisStore & RevocationLog
    const [first, second] = [newSession(), newSession()]
    await createAll(other, [first, second])
    const { cursor } = await other.readRevocations(null)
    await other.deleteSession(second.id)
    await full.command('CONFIG', 'SET', 'maxmemory', '1')
    await t.rejects(other.createSession(newSession()))
    t.equal(await other.deleteSession(first.id), true)
    await full.command('CONFIG', 'SET', 'maxmemory', '0')
    const { entries } = await other.readRevocations(cursor)
    t.strictSame(
      entries,
      [second, first].map(({ id }) => ({ id, ended: true })),
    )
  })

  t.test('in a cluster there is no log, and sessions end without one', async (t) => {
    const cluster = new Cluster(nodes.map(({ host, port }) => ({ host, port })))
    t.teardown(() => cluster.quit())
    const inCluster = new RedisStore(cluster)
    t.equal(inCluster.isCluster, true)
    t.equal(inCluster.readRevocations, undefined)
    t.equal(store.isCluster, false)
    const session = newSession()
    await inCluster.createSession(session)
    t.equal(await inCluster.updateSession(session.id, 1, { details: 'new' }), 'updated')
    t.equal(await inCluster.deleteSession(session.id), true)
    t.equal(await cluster.exists(log), 0)
  })
}
