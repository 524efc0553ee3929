import { Redis } from 'ioredis'
import t from 'tap'
import { userIdOf } from '../../lib/core/user-id.js'
import type { SessionRecord } from '../../lib/index.js'
import { type IoredisClient, RedisStore } from '../../lib/stores/redis/index.js'
import { activeAt, later, newSession, newSessions } from '../../lib/testing/fixtures.js'
import { eventually, hasRedis, keysBesideLog, onlyKey, startRedis } from '../tools/redis-server.js'

const unavailable = { code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503 }
const defaultGrace = 300_000

/** Where the store lets a session expire. */
function expiryOf(session: SessionRecord, grace = defaultGrace): number {
  return Math.min(session.idleDeadline?.getTime() ?? Infinity, session.absoluteDeadline.getTime()) + grace
}

/** A client that makes its calls through `around`, which is told of each. */
function around(
  client: Redis,
  intercept: (script: string, call: () => Promise<unknown>) => Promise<unknown>,
) {
  const stand: IoredisClient = {
    get: (key) => client.get(key),
    evalsha: (sha1, ...rest) => intercept(sha1, () => client.evalsha(sha1, ...rest)),
    eval: (source, ...rest) => intercept(source, () => client.eval(source, ...rest)),
    scan: (...args) => client.scan(...args),
    on: () => {},
    listenerCount: () => 1,
  }
  return stand
}

if (hasRedis(t)) {
  const server = await startRedis(t)
  const redis = new Redis(server.port)
  t.teardown(() => redis.quit())
  t.beforeEach(async () => {
    await redis.flushall()
  })

  t.test('expiry: after a mixed run every key but the users has one', async (t) => {
    const store = new RedisStore(redis)
    await store.upsertUser('oidc|1')
    const sessions = [...newSessions(50), ...newSessions(50, { userId: 'b', idleTimeout: null })]
    await Promise.all(sessions.map((session) => store.createSession(session)))
    await store.batchRecordActivity(new Map(sessions.map(({ id }) => [id, new Date()])))
    for (const session of sessions.slice(0, 20)) {
      await store.extendSession(session.id, activeAt(session, later(new Date(), 5)))
      await store.deleteSession(session.id)
    }
    await store.deleteUserSessions('b', { except: sessions[99]?.id })
    await t.rejects(store.createSession({ ...(sessions[99] as SessionRecord), userId: 'c' }))
    await store.listUserSessions('user')
    const keys = await keysBesideLog(redis)
    const lasting: string[] = []
    for (const key of keys) if ((await redis.pttl(key)) < 0) lasting.push(key)
    t.same(lasting, [`gosesh:user:${userIdOf('oidc|1')}`])
    t.equal(keys.length, 1 + 31 + 2)
  })

  t.test('expiry: is the nearer deadline and the grace, and moves forward with activity only', async (t) => {
    const store = new RedisStore(redis, { grace: 1_000 })
    const session = newSession()
    await store.createSession(session)
    const key = await onlyKey(redis, 'gosesh:session:')
    t.equal(await redis.pexpiretime(key), expiryOf(session, 1_000))

    const flushed = activeAt(session, later(session.lastActivityAt, 20_000))
    await store.batchRecordActivity(new Map([[session.id, flushed.lastActivityAt]]))
    t.equal(await redis.pexpiretime(key), expiryOf(flushed, 1_000))
    const extended = activeAt(session, later(session.lastActivityAt, 30_000))
    await store.extendSession(session.id, extended)
    t.equal(await redis.pexpiretime(key), expiryOf(extended, 1_000))
    await store.extendSession(session.id, session)
    await store.batchRecordActivity(new Map([[session.id, session.lastActivityAt]]))
    t.equal(await redis.pexpiretime(key), expiryOf(extended, 1_000))
    await store.extendSession(session.id, {
      lastActivityAt: session.absoluteDeadline,
      idleDeadline: session.absoluteDeadline,
    })
    t.equal(await redis.pexpiretime(key), session.absoluteDeadline.getTime() + 1_000)
  })

  t.test('expiry: a session without an idle limit lasts to its absolute deadline', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession({ idleTimeout: null })
    await store.createSession(session)
    const key = await onlyKey(redis, 'gosesh:session:')
    t.equal(await redis.pexpiretime(key), session.absoluteDeadline.getTime() + defaultGrace)
    t.equal(await store.batchRecordActivity(new Map([[session.id, new Date()]])), 1)
    await store.extendSession(session.id, { lastActivityAt: new Date(), idleDeadline: new Date() })
    t.equal(await redis.pexpiretime(key), session.absoluteDeadline.getTime() + defaultGrace)
    t.equal((await store.getSession(session.id))?.idleDeadline, null)
  })

  t.test('expiry: a session past its deadline and grace vanishes, and nothing brings it back', async (t) => {
    const store = new RedisStore(redis, { grace: 1 })
    const now = Date.now()
    const session = { ...newSession(), idleDeadline: new Date(now + 50) }
    await store.createSession(session)
    await eventually(
      'the key is gone',
      async () => (await redis.exists(`gosesh:session:{${session.id}}`)) === 0,
    )
    t.ok(Date.now() > now + 50)
    t.equal(await store.getSession(session.id), null)
    t.equal(await store.batchRecordActivity(new Map([[session.id, new Date()]])), 0)
    t.equal(await store.extendSession(session.id, activeAt(session, new Date())), false)
    t.equal(await redis.exists(`gosesh:session:{${session.id}}`), 0)
  })

  t.test('expiry: activity that comes too late for the grace leaves no key behind', async (t) => {
    const session = newSession({ age: 2 * 3_600_000 })
    const day = 86_400_000
    await new RedisStore(redis, { grace: day }).createSession(session)
    const impatient = new RedisStore(redis, { grace: 1 })
    const at = later(session.lastActivityAt, 1)
    t.equal(await impatient.batchRecordActivity(new Map([[session.id, at]])), 0)
    t.equal(await redis.exists(`gosesh:session:{${session.id}}`), 0)
  })

  t.test('expiry: the index lasts as long as the last of its sessions', async (t) => {
    const store = new RedisStore(redis, { grace: 1_000 })
    const hours = (n: number): SessionRecord => newSession({ absoluteTimeout: n * 3_600_000 })
    const [short, long] = [hours(2), hours(48)]
    await store.createSession(short)
    const index = await onlyKey(redis, 'gosesh:user-sessions:')
    t.equal(await redis.pexpiretime(index), short.absoluteDeadline.getTime() + 1_000)
    await store.createSession(long)
    await store.createSession(hours(3))
    t.equal(await redis.pexpiretime(index), long.absoluteDeadline.getTime() + 1_000)
    // A deletion that broke off after its first step leaves the sessions alive.
    await redis.zadd(index, 'XX', -long.absoluteDeadline.getTime(), long.id)
    await store.createSession(hours(4))
    t.equal(await redis.pexpiretime(index), long.absoluteDeadline.getTime() + 1_000)
  })

  t.test('index: a session that is past everything is created without a trace', async (t) => {
    const store = new RedisStore(redis, { grace: 1 })
    await store.createSession(newSession({ age: 3_600_000, absoluteTimeout: 1_800_000 }))
    t.same(await keysBesideLog(redis), [])
  })

  t.test('index: a listing removes ids whose sessions are gone, but not one under creation', async (t) => {
    const store = new RedisStore(redis)
    const [live, gone, pending] = newSessions(3) as [SessionRecord, SessionRecord, SessionRecord]
    await store.createSession(live)
    await store.createSession(gone)
    const index = await onlyKey(redis, 'gosesh:user-sessions:')
    await redis.del(`gosesh:session:{${gone.id}}`)
    await redis.zadd(index, `${pending.absoluteDeadline.getTime()}.5`, pending.id)
    t.same(
      (await store.listUserSessions('user')).map(({ id }) => id),
      [live.id],
    )
    t.same(new Set(await redis.zrange(index, '0', '-1')), new Set([live.id, pending.id]))
  })

  t.test('index: entries past their time go with the next creation, and with a deletion', async (t) => {
    const store = new RedisStore(redis, { grace: 1 })
    const past = Date.now() - 1_000
    await store.createSession(newSession())
    const index = await onlyKey(redis, 'gosesh:user-sessions:')
    await redis.zadd(index, past, 'settled')
    await redis.zadd(index, past + 0.5, 'pending')
    await redis.zadd(index, -past, 'condemned')
    const session = newSession()
    await store.createSession(session)
    t.equal(await redis.zcard(index), 2)
    await redis.zadd(index, past, 'settled')
    await store.deleteUserSessions('user', { except: session.id })
    t.same(await redis.zrange(index, '0', '-1'), [session.id])
  })

  t.test('index: signing out and deleting leave no index behind', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession()
    await store.createSession(session)
    await store.deleteSession(session.id)
    t.same(await keysBesideLog(redis), [])
    await store.createSession(session)
    await store.deleteUserSessions('user')
    t.same(await keysBesideLog(redis), [])
    await store.createSession(session)
    await store.deleteAllSessions()
    t.same(await keysBesideLog(redis), [])
  })

  t.test("index: another user's session that got into it is neither listed nor left there", async (t) => {
    const store = new RedisStore(redis)
    const session = newSession({ userId: 'ada' })
    await store.createSession(session)
    const index = await onlyKey(redis, 'gosesh:user-sessions:')
    await store.createSession(newSession({ userId: 'bob' }))
    const others = (await redis.keys('gosesh:user-sessions:*')).find((key) => key !== index) as string
    await redis.zadd(others, session.absoluteDeadline.getTime(), session.id)
    t.equal((await store.listUserSessions('bob')).length, 1)
    t.equal(await redis.zcard(others), 1)
  })

  t.test('index: an id that is refused twice stays with the user whose session it is', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession({ userId: 'ada' })
    await store.createSession(session)
    await redis.del(await onlyKey(redis, 'gosesh:user-sessions:'))
    const exists = { code: 'GOSESH_ERR_SESSION_EXISTS' }
    await t.rejects(store.createSession({ ...session, userId: 'bob' }), exists)
    t.same(await redis.keys('gosesh:user-sessions:*'), [])
    await t.rejects(store.createSession(session), exists)
    t.same(
      (await store.listUserSessions('ada')).map(({ id }) => id),
      [session.id],
    )
  })

  t.test('index: a creation gives up where the deletions never end, and leaves no session', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession()
    await store.createSession(newSession())
    await redis.zadd(
      await onlyKey(redis, 'gosesh:user-sessions:'),
      -session.absoluteDeadline.getTime(),
      session.id,
    )
    await t.rejects(store.createSession(session), { ...unavailable, cause: /deleted all the time/ })
    t.equal(await store.getSession(session.id), null)
  })

  t.test('index: an entry that cannot be removed fails neither a sign-out nor a listing', async (t) => {
    const store = new RedisStore(redis)
    const [first, second] = newSessions(2) as [SessionRecord, SessionRecord]
    await store.createSession(first)
    await store.createSession(second)
    let calls = 0
    const failing = new RedisStore(
      around(redis, async (_script, call) => {
        if (calls++ % 2 === 1) throw new Error('broken')
        return await call()
      }),
    )
    t.equal(await failing.deleteSession(first.id), true)
    t.equal(calls, 2)
    t.equal(await redis.zcard(await onlyKey(redis, 'gosesh:user-sessions:')), 2)
    await redis.del(`gosesh:session:{${second.id}}`)
    calls = 0
    const patient = new RedisStore(
      around(redis, async (_script, call) => {
        if (calls++ === 2) throw new Error('broken')
        return await call()
      }),
    )
    t.same(await patient.listUserSessions('user'), [])
    t.equal(calls, 3)
  })

  t.test('deleteAllSessions: also finds sessions that no index has any more', async (t) => {
    const store = new RedisStore(redis)
    await store.createSession(newSession())
    await redis.del(await onlyKey(redis, 'gosesh:user-sessions:'))
    t.equal(await store.deleteAllSessions(), 1)
    t.same(await keysBesideLog(redis), [])
  })

  t.test(
    'deleteAllSessions: spares other prefixes, also where the prefix looks like a pattern',
    async (t) => {
      const [plain, pattern] = [
        new RedisStore(redis, { prefix: 'ab:' }),
        new RedisStore(redis, { prefix: '[a]?*\\:' }),
      ]
      await plain.createSession(newSession())
      await pattern.createSession(newSession())
      t.equal(await pattern.deleteAllSessions(), 1)
      t.equal(await plain.deleteAllSessions(), 1)
    },
  )

  t.test('deleteAllSessions: takes thousands of users in pages', async (t) => {
    const store = new RedisStore(redis)
    const sessions = Array.from({ length: 3_000 }, (_, i) => newSession({ userId: `user${i >> 1}` }))
    await Promise.all(sessions.map((session) => store.createSession(session)))
    t.equal(await store.deleteAllSessions(), 3_000)
    t.same(await keysBesideLog(redis), [])
  })
}
