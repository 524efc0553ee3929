import { Redis } from 'ioredis'
import t from 'tap'
import type { SessionRecord } from '../../lib/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { later, newSession, newSessions } from '../../lib/testing/fixtures.js'
import { eventually, hasRedis, keysBesideLog, onlyKey, startRedis } from '../tools/redis-server.js'

const start = 'gosesh:metadata-sessions:'

if (hasRedis(t)) {
  const server = await startRedis(t)
  const redis = new Redis(server.port)
  t.teardown(() => redis.quit())
  t.beforeEach(async () => {
    await redis.flushall()
  })

  /** The commands that one call takes, those inside scripts too. */
  const commandsOf = async (call: () => Promise<unknown>): Promise<Record<string, number>> => {
    await server.command('CONFIG', 'RESETSTAT')
    await call()
    const { info, 'config|resetstat': _, ...commands } = await server.commandCounts()
    return commands
  }

  t.test(
    'a session without an indexed key is signed in by the same commands as ever, three scripts',
    async (t) => {
      const store = new RedisStore(redis)
      await store.createSession(newSession())
      const plain = await commandsOf(() => store.createSession(newSession({ metadata: { device: 'phone' } })))
      t.equal(plain.evalsha, 3)
      t.same(plain, await commandsOf(() => store.createSession(newSession())))
      t.same(await redis.keys(`${start}*`), [])
      const last = newSession({ metadata: { device: 'phone' } })
      await store.createSession(last)
      t.equal((await commandsOf(() => store.deleteSession(last.id))).evalsha, 2)
    },
  )

  t.test('a flush takes the same commands whatever the metadata', async (t) => {
    const store = new RedisStore(redis)
    const counts: Record<string, number>[] = []
    for (const metadata of [null, { oidc_sub: 'ada', oidc_sid: '1' }]) {
      const session = newSession({ metadata })
      await store.createSession(session)
      const batch = new Map([[session.id, later(session.lastActivityAt, 1_000)]])
      await store.batchRecordActivity(batch)
      const next = new Map([[session.id, later(session.lastActivityAt, 2_000)]])
      counts.push(await commandsOf(() => store.batchRecordActivity(next)))
    }
    t.same(counts[0], counts[1])
  })

  t.test('a subject is found among many sessions by as many commands as among few', async (t) => {
    const store = new RedisStore(redis)
    const sessions = Array.from({ length: 2_000 }, (_, i) =>
      newSession({ metadata: { oidc_iss: 'op', oidc_sub: `${i}`, oidc_sid: `sid ${i}` } }),
    )
    await Promise.all(sessions.map((session) => store.createSession(session)))
    await store.deleteSessionsByMetadata({ oidc_sub: '1' })
    const commands = await commandsOf(async () => {
      t.same(await store.deleteSessionsByMetadata({ oidc_iss: 'op', oidc_sub: '7' }), [sessions[7]?.id])
    })
    // The index, the value, the session with its data and the log, its user's entry, which may stand in two ways, and those of its facts.
    t.same(commands, { evalsha: 5, zrange: 1, get: 2, del: 1, unlink: 1, xadd: 1, zscore: 2, zrem: 3 })
  })

  t.test('a session is in the index of each of its facts, which expires with the last of them', async (t) => {
    const store = new RedisStore(redis, { grace: 1_000 })
    const hours = (n: number): SessionRecord =>
      newSession({ absoluteTimeout: n * 3_600_000, metadata: { oidc_sub: 'ada' } })
    const [first, second, third] = [hours(2), hours(48), hours(3)]
    await store.createSession(first)
    const index = await onlyKey(redis, start)
    t.match(index, /^gosesh:metadata-sessions:[\w-]{43}$/)
    t.equal(await redis.pexpiretime(index), first.absoluteDeadline.getTime() + 1_000)
    await store.createSession(second)
    await store.createSession(third)
    t.equal(await redis.pexpiretime(index), second.absoluteDeadline.getTime() + 1_000)
    t.equal(await redis.zcard(index), 3)
    await store.createSession(newSession({ metadata: { oidc_sub: 'ada', oidc_sid: '1' } }))
    t.equal((await redis.keys(`${start}*`)).length, 2)
  })

  t.test('deleting a session leaves no entry of it behind', async (t) => {
    const store = new RedisStore(redis)
    const metadata = { oidc_sub: 'ada', oidc_sid: '1' }
    const [first, second] = newSessions(2, { metadata }) as [SessionRecord, SessionRecord]
    await store.createSession(first)
    await store.createSession(second)
    await store.deleteSession(first.id)
    t.equal((await redis.keys(`${start}*`)).length, 2)
    await store.deleteSessionsByMetadata({ oidc_sid: '1' })
    t.same(await keysBesideLog(redis), [])
  })

  t.test('entries past their time go with the next sign-in of the subject', async (t) => {
    const store = new RedisStore(redis, { grace: 1 })
    const ended = newSession({ metadata: { oidc_sub: 'ada' }, absoluteTimeout: 120_000 })
    await store.createSession(newSession({ metadata: { oidc_sub: 'ada' } }))
    const index = await onlyKey(redis, start)
    await redis.zadd(index, Date.now() - 1_000, ended.id)
    const next = newSession({ metadata: { oidc_sub: 'ada' } })
    await store.createSession(next)
    t.equal(await redis.zcard(index), 2)
    t.equal(await redis.zscore(index, ended.id), null)
  })

  t.test('a session that is past everything is created without a trace', async (t) => {
    const store = new RedisStore(redis, { grace: 1 })
    const metadata = { oidc_sub: 'ada' }
    await store.createSession(newSession({ age: 3_600_000, absoluteTimeout: 1_800_000, metadata }))
    t.same(await keysBesideLog(redis), [])
  })

  t.test('a creation that is refused moves no entry of the session that is there', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession({ metadata: { oidc_sub: 'ada' } })
    await store.createSession(session)
    const shorter = { ...session, absoluteDeadline: later(session.absoluteDeadline, -1_000) }
    await t.rejects(store.createSession(shorter), { code: 'GOSESH_ERR_SESSION_EXISTS' })
    const other = { ...session, metadata: { oidc_sub: 'bob' } }
    await t.rejects(store.createSession(other), { code: 'GOSESH_ERR_SESSION_EXISTS' })
    t.same(await store.deleteSessionsByMetadata({ oidc_sub: 'bob' }), [])
    t.same(await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }), [session.id])
  })

  t.test('an entry whose session is gone, or is none, keeps no other from being found', async (t) => {
    const store = new RedisStore(redis)
    const sessions = newSessions(4, { metadata: { oidc_sub: 'ada' } }) as [
      SessionRecord,
      SessionRecord,
      SessionRecord,
      SessionRecord,
    ]
    for (const session of sessions) await store.createSession(session)
    const key = (session: SessionRecord): string => `gosesh:session:{${session.id}}`
    await redis.del(key(sessions[0]))
    await redis.set(key(sessions[1]), 'x')
    await redis.del(key(sessions[2]))
    await redis.hset(key(sessions[2]), 'a', 'b')
    t.same(await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }), [sessions[3].id])
    t.equal(await redis.exists(key(sessions[1]), key(sessions[2])), 2, 'what cannot be read is left')
  })

  t.test('pairs without an indexed key are refused by name, and more keys can be indexed', async (t) => {
    const refusal = {
      code: 'GOSESH_ERR_OPTION',
      message: /finds sessions by oidc_sid, oidc_sub, of which none .* indexedMetadata$/,
    }
    const session = newSession({ metadata: { device: 'phone', oidc_iss: 'op' } })
    const plain = new RedisStore(redis)
    await plain.createSession(session)
    await t.rejects(plain.deleteSessionsByMetadata({ device: 'phone' }), refusal)
    await t.rejects(plain.deleteSessionsByMetadata({ oidc_iss: 'op' }), refusal)
    const indexing = new RedisStore(redis, { indexedMetadata: ['device', 'oidc_sub'] })
    t.same(await indexing.deleteSessionsByMetadata({ device: 'phone' }), [], 'from now on')
    const later = newSession({ metadata: { device: 'phone', oidc_iss: 'op', oidc_sub: 'ada' } })
    await indexing.createSession(later)
    t.same(await indexing.deleteSessionsByMetadata({ device: 'phone', oidc_iss: 'op' }), [later.id])
    t.equal((await redis.keys(`${start}*`)).length, 0)
  })

  t.test('expiry: after sign-ins and deletions every key has one', async (t) => {
    const store = new RedisStore(redis)
    const metadata = { oidc_sub: 'ada', oidc_sid: '1' }
    const sessions = newSessions(20, { metadata })
    await Promise.all(sessions.map((session) => store.createSession(session)))
    await store.deleteUserSessions('user', { except: sessions[0]?.id })
    await store.deleteAllSessions()
    const keys = await keysBesideLog(redis)
    t.same(new Set(keys.map((key) => key.slice(0, start.length))), new Set([start]))
    for (const key of keys) t.ok((await redis.pttl(key)) > 0, key)
    t.same(await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }), [])
    await eventually('a session that begins now is found', async () => {
      await store.createSession(sessions[0] as SessionRecord)
      return (await store.deleteSessionsByMetadata({ oidc_sub: 'ada' })).length === 1
    })
  })
}
