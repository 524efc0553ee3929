import { Redis } from 'ioredis'
import t from 'tap'
import type { SessionId, SessionRecord } from '../../lib/index.js'
import { encodeSession } from '../../lib/stores/redis/codec.js'
import { type IoredisClient, RedisStore } from '../../lib/stores/redis/index.js'
import { activeAt, hour, later, newSession, newSessions } from '../../lib/testing/fixtures.js'
import { hasRedis, keysBesideLog, onlyKey, startRedis } from '../tools/redis-server.js'

const unavailable = { code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503 }
if (hasRedis(t)) {
  const server = await startRedis(t)
  const redis = new Redis(server.port)
  t.teardown(() => redis.quit())
  t.beforeEach(async () => {
    await redis.flushall()
  })

  t.test('late: an extension or a flush after the deletion re-creates nothing', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession()
    await store.createSession(session)
    await store.deleteSession(session.id)
    t.equal(await store.extendSession(session.id, activeAt(session, new Date())), false)
    t.equal(await store.batchRecordActivity(new Map([[session.id, new Date()]])), 0)
    t.same(await keysBesideLog(redis), [])
  })

  t.test('late: whatever order two nodes write in, the latest time stands', async (t) => {
    const other = new Redis(server.port)
    t.teardown(() => other.quit())
    const nodes = [new RedisStore(redis), new RedisStore(other)]
    const sessions = newSessions(1_000)
    await Promise.all(sessions.map((session) => nodes[0]?.createSession(session)))
    const at = (ms: number): [SessionId, Date][] =>
      sessions.map((session) => [session.id, later(session.lastActivityAt, ms)])
    await Promise.all([
      nodes[0]?.batchRecordActivity(new Map(at(2_000))),
      nodes[1]?.batchRecordActivity(new Map(at(1_000).toReversed())),
      nodes[1]?.batchRecordActivity(new Map(at(3_000))),
      nodes[0]?.batchRecordActivity(new Map(at(500).toReversed())),
    ])
    for (const session of sessions) {
      const stored = await nodes[0]?.getSession(session.id)
      t.same(stored, activeAt(session, later(session.lastActivityAt, 3_000)))
    }
  })

  t.test(
    'late: what is past its deadline and the grace goes, and is not made anew without an expiry',
    async (t) => {
      const store = new RedisStore(redis)
      const past = newSession({ age: 48 * hour, absoluteTimeout: 24 * hour })
      const writes = {
        extendSession: () => store.extendSession(past.id, activeAt(past, later(past.lastActivityAt, 1))),
        batchRecordActivity: () =>
          store.batchRecordActivity(new Map([[past.id, later(past.lastActivityAt, 1)]])),
      }
      for (const [name, write] of Object.entries(writes)) {
        // As one that was kept longer by whatever restored it.
        await redis.set(`gosesh:session:{${past.id}}`, encodeSession(past))
        t.equal(Number(await write()), 0, name)
        t.same(await keysBesideLog(redis), [], name)
      }
    },
  )

  t.test('corrupt: what is no session is a failure, never a session and never an absence', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession()
    await store.createSession(session)
    const key = await onlyKey(redis, 'gosesh:session:')
    const good = (await redis.get(key)) as string
    const facts = good.slice(good.indexOf('{'))
    const swap = (index: number, field: string): string => {
      const fields = good.split(' ')
      fields[index] = field
      return fields.join(' ')
    }
    const none = '-'.repeat(16)
    for (const value of [
      '',
      'x',
      good.slice(0, -1),
      good.slice(1),
      good.slice(0, 84),
      swap(0, none),
      swap(0, `${'0'.repeat(7)} ${'0'.repeat(8)}`),
      swap(1, none),
      swap(2, none),
      swap(3, none),
      swap(5, 'x'),
      swap(6, ''),
      swap(7, `9${'0'.repeat(15)}`),
      swap(8, '-'),
      swap(9, '1e3'),
      swap(10, ''),
      swap(3, `1${'x'.repeat(15)}`),
      swap(3, `1${'!'.repeat(15)}`),
      good.replace(' ', 'x'),
      good.replace(facts, '{}'),
      good.replace(facts, '{"userId":""}'),
      good.replace(facts, '{"userId":1}'),
      good.replace(facts, '{"userId":"a","details":{}}'),
      good.replace(facts, '{"userId":"a","metadata":"b"}'),
      good.replace(facts, '{"userId":"a","metadata":{"b":1}}'),
      good.replace(facts, '{not json}'),
      good.replace(facts, '[]'),
    ]) {
      await redis.set(key, value)
      await t.rejects(store.getSession(session.id), unavailable, JSON.stringify(value))
      await t.rejects(store.listUserSessions('user'), unavailable)
    }
    await redis.set(key, good)
    t.same(await store.getSession(session.id), session)
  })

  t.test('corrupt: a client that is set to answer with buffers is a failure too', async (t) => {
    const client: IoredisClient = {
      get: (key) => redis.getBuffer(key),
      evalsha: (...args) => redis.evalsha(...args),
      eval: (...args) => redis.eval(...args),
      scan: (...args) => redis.scan(...args),
      on: () => {},
      listenerCount: () => 1,
    }
    const store = new RedisStore(client)
    const session = newSession()
    await store.createSession(session)
    await t.rejects(store.getSession(session.id), unavailable)
  })

  t.test('times: are kept to the millisecond, also before 1970', async (t) => {
    const store = new RedisStore(redis)
    const session = { ...newSession(), createdAt: new Date(-12_345), lastActivityAt: new Date(-1) }
    await store.createSession(session)
    t.same(await store.getSession(session.id), session)
  })

  t.test('corrupt: a broken value does not keep the activity of others from being written', async (t) => {
    const store = new RedisStore(redis)
    const [text, hash, session] = newSessions(3) as [SessionRecord, SessionRecord, SessionRecord]
    await store.createSession(session)
    await redis.set(`gosesh:session:{${text.id}}`, 'x')
    await redis.hset(`gosesh:session:{${hash.id}}`, 'a', 'b')
    const batch = new Map([text, hash, session].map(({ id }) => [id, new Date()]))
    t.equal(await store.batchRecordActivity(batch), 1)
    await t.rejects(store.getSession(hash.id), unavailable)
    await t.rejects(store.extendSession(text.id, activeAt(text, new Date())), unavailable)
    await t.rejects(store.extendSession(hash.id, activeAt(hash, new Date())), unavailable)
  })

  t.test('corrupt: a broken value can be deleted', async (t) => {
    const store = new RedisStore(redis)
    const sessions = newSessions(4) as [SessionRecord, SessionRecord, SessionRecord, SessionRecord]
    for (const session of sessions) await store.createSession(session)
    for (const { id } of sessions.slice(0, 2)) {
      await redis.del(`gosesh:session:{${id}}`)
      await redis.hset(`gosesh:session:{${id}}`, 'a', 'b')
    }
    await redis.set(`gosesh:session:{${sessions[2].id}}`, 'x')
    t.equal(await store.deleteSession(sessions[0].id), true)
    t.equal(await store.deleteSession(sessions[2].id), true)
    t.equal(await store.deleteUserSessions('user'), 2)
  })

  t.test('errors: carry the cause, and their message no id', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession()
    await redis.hset(`gosesh:session:{${session.id}}`, 'a', 'b')
    const error: Error = await store.getSession(session.id).then(
      () => t.fail(),
      (error) => error,
    )
    t.equal(error.message, 'The session store is unavailable')
    t.match(error.cause, { message: /WRONGTYPE/ })
    await t.rejects(store.createSession(session), { ...unavailable, cause: /WRONGTYPE/ })
  })

  t.test('a full server: sign-ins fail, and reading, activity and deleting go on', async (t) => {
    const store = new RedisStore(redis)
    const [session, second, third] = newSessions(3) as [SessionRecord, SessionRecord, SessionRecord]
    for (const each of [session, second, third]) await store.createSession(each)
    await redis.config('SET', 'maxmemory', '1')
    t.teardown(() => redis.config('SET', 'maxmemory', '0'))
    const before = await redis.dbsize()
    await t.rejects(store.createSession(newSession({ userId: 'new' })), { ...unavailable, cause: /OOM/ })
    t.equal(await redis.dbsize(), before)
    const moved = activeAt(session, new Date())
    t.equal(await store.batchRecordActivity(new Map([[session.id, moved.lastActivityAt]])), 1)
    const extended = activeAt(session, later(moved.lastActivityAt, 1))
    t.equal(await store.extendSession(session.id, extended), true)
    t.same(await store.getSession(session.id), extended)
    t.equal(await store.deleteSession(second.id), true)
    t.equal(await store.deleteUserSessions('user'), 2)
  })
}
