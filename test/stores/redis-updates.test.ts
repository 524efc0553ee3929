import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { type IoredisClient, RedisStore } from '../../lib/stores/redis/index.js'
import { hour, later, newSecretHash, newSession } from '../../lib/testing/fixtures.js'
import { hasRedis, onlyKey, startRedis } from '../tools/redis-server.js'

if (hasRedis(t)) {
  const server = await startRedis(t)
  const redis = new Redis(server.port)
  t.teardown(() => redis.quit())
  t.beforeEach(async () => {
    await redis.flushall()
  })

  /** Calls `before` ahead of the n-th script. */
  const interrupted = (nth: number, before: () => Promise<unknown>): IoredisClient => {
    let scripts = 0
    const run = async (call: () => Promise<unknown>): Promise<unknown> => {
      if (++scripts === nth) await before()
      return await call()
    }
    return {
      get: (key) => redis.get(key),
      evalsha: (_sha1, ...rest) => Promise.reject(new Error(`NOSCRIPT ${rest.length}`)),
      eval: (source, ...rest) => run(() => redis.eval(source, ...rest)),
      scan: (...args) => redis.scan(...args),
      on: () => {},
      listenerCount: () => 1,
    }
  }

  t.test('a session that was moved is found past its first deadline, by each of its indexes', async (t) => {
    const store = new RedisStore(redis, { grace: 1 })
    const metadata = { oidc_sub: 'ada' }
    const brief = newSession({ age: 0, idleTimeout: null, absoluteTimeout: 20_334 + 900, metadata })
    await store.createSession(brief)
    const absoluteDeadline = later(brief.absoluteDeadline, hour)
    t.equal(await store.updateSession(brief.id, 1, { absoluteDeadline }), 'updated')
    await delay(Math.max(0, brief.absoluteDeadline.getTime() - Date.now() + 50))
    // A creation, a deletion and a listing take out what is past its time.
    await store.createSession(newSession({ age: 0, metadata }))
    t.equal((await store.listUserSessions('user')).length, 2)
    const [key = ''] = await redis.keys('gosesh:user-sessions:*')
    t.ok((await redis.pexpiretime(key)) >= absoluteDeadline.getTime())
    t.equal((await store.deleteSessionsByMetadata({ oidc_sub: 'ada' })).length, 2)
    t.same(await redis.keys('gosesh:session:*'), [])
  })

  t.test('a deletion of all the user’s sessions at any step of an update leaves none', async (t) => {
    const plain = new RedisStore(redis)
    // Read, raise the entry, change the session; and once after all of it.
    for (const step of [1, 2, 3, 4]) {
      const session = newSession()
      await plain.createSession(session)
      const store = new RedisStore(interrupted(step, () => plain.deleteUserSessions('user')))
      const absoluteDeadline = later(session.absoluteDeadline, hour)
      const result = await store.updateSession(session.id, 1, {
        absoluteDeadline,
        secretHash: newSecretHash(),
      })
      t.equal(result, step === 4 ? 'updated' : 'absent', `step ${step}`)
      await plain.deleteUserSessions('user')
      t.equal(await plain.getSession(session.id), null, `step ${step}`)
      t.same(await redis.keys('gosesh:session:*'), [], `step ${step}`)
    }
  })

  t.test('activity between the read and the change is kept', async (t) => {
    const plain = new RedisStore(redis)
    const session = newSession()
    await plain.createSession(session)
    const at = later(session.lastActivityAt, 12_345)
    const store = new RedisStore(interrupted(2, () => plain.batchRecordActivity(new Map([[session.id, at]]))))
    t.equal(await store.updateSession(session.id, 1, { details: 'x' }), 'updated')
    t.match(await plain.getSession(session.id), { details: 'x', version: 2, lastActivityAt: at })
  })

  t.test('a change between the read and the change is a conflict', async (t) => {
    const plain = new RedisStore(redis)
    const session = newSession()
    await plain.createSession(session)
    const other = () => plain.updateSession(session.id, 1, { details: 'first' })
    const store = new RedisStore(interrupted(2, other))
    t.equal(await store.updateSession(session.id, 1, { details: 'second' }), 'conflict')
    t.match(await plain.getSession(session.id), { details: 'first', version: 2 })
  })

  t.test('an entry that Redis evicted from the index is made anew', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession()
    await store.createSession(session)
    await redis.del(await onlyKey(redis, 'gosesh:user-sessions:'))
    const absoluteDeadline = later(session.absoluteDeadline, hour)
    t.equal(await store.updateSession(session.id, 1, { absoluteDeadline }), 'updated')
    t.equal((await store.listUserSessions('user')).length, 1)
    t.equal(await store.deleteUserSessions('user'), 1)
  })

  t.test('the key goes on to expire with the session', async (t) => {
    const store = new RedisStore(redis, { grace: 1_000 })
    const session = newSession({ idleTimeout: null })
    await store.createSession(session)
    const key = await onlyKey(redis, 'gosesh:session:')
    const absoluteDeadline = later(session.absoluteDeadline, hour)
    await store.updateSession(session.id, 1, { absoluteDeadline })
    t.equal(await redis.pexpiretime(key), absoluteDeadline.getTime() + 1_000)
  })

  t.test('what is no session is a failure, and stays as it is', async (t) => {
    const store = new RedisStore(redis)
    const session = newSession()
    await store.createSession(session)
    const key = await onlyKey(redis, 'gosesh:session:')
    for (const value of ['x', `${(await redis.get(key))?.slice(0, 68)}x`]) {
      await redis.set(key, value)
      await t.rejects(store.updateSession(session.id, 1, {}), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
      t.equal(await redis.get(key), value)
    }
  })
}
