import { Redis } from 'ioredis'
import t from 'tap'
import { type IoredisClient, RedisStore } from '../../lib/stores/redis/index.js'
import {
  assertKept,
  decisionOf,
  newDeviceCode,
  newUserCodeId,
} from '../../lib/testing/device-codes/fixtures.js'
import { later } from '../../lib/testing/fixtures.js'
import { eventually, hasRedis, startRedis } from '../tools/redis-server.js'

const unavailable = { code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503 }

if (hasRedis(t)) {
  const server = await startRedis(t)
  const redis = new Redis(server.port)
  t.teardown(() => redis.quit())
  t.beforeEach(async () => {
    await redis.flushall()
  })

  t.test('a code is two keys, which expire together, after its end and the grace', async (t) => {
    const store = new RedisStore(redis, { grace: 2_000 })
    const code = newDeviceCode({ metadata: { device_client: 'TV' } })
    await store.deviceCodes.createDeviceCode(code)
    const keys = (await redis.keys('*')).toSorted()
    t.same(keys, [`gosesh:device-code:${code.id}`, `gosesh:user-code:${code.userCodeId}`])
    const at = code.expiresAt.getTime() + 2_000
    const expiries = (): Promise<number[]> => Promise.all(keys.map((key) => redis.pexpiretime(key)))
    t.same(await expiries(), [at, at])
    await store.deviceCodes.recordDevicePoll(code.id, { interval: 10_000, lastPolledAt: new Date() })
    await store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada'))
    t.same(await expiries(), [at, at])
    t.equal(await store.deviceCodes.deleteExpiredDeviceCodes(new Date(), 1), 0)
    await store.deviceCodes.consumeDeviceCode(code.id)
    t.equal(await redis.dbsize(), 0)
  })

  t.test('a code past its end and grace vanishes, and nothing brings it back', async (t) => {
    const store = new RedisStore(redis, { grace: 1 })
    const code = newDeviceCode({ expiresAt: later(new Date(), 50) })
    await store.deviceCodes.createDeviceCode(code)
    await eventually('its keys are gone', async () => (await redis.dbsize()) === 0)
    t.equal(
      await store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: new Date() }),
      false,
    )
    t.equal(await store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')), false)
    t.equal(await store.deviceCodes.consumeDeviceCode(code.id), null)
    t.equal(await redis.dbsize(), 0)
  })

  t.test('a poll of a device is one script, and a read another', async (t) => {
    const store = new RedisStore(redis)
    const code = newDeviceCode()
    await store.deviceCodes.createDeviceCode(code)
    await store.deviceCodes.getDeviceCode(code.id)
    await store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: new Date() })
    await server.command('CONFIG', 'RESETSTAT')
    await store.deviceCodes.getDeviceCode(code.id)
    await store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: new Date() })
    t.equal((await server.commandCounts()).evalsha, 2)
  })

  t.test('a user code that leads to the code of another, or to none, leads nowhere', async (t) => {
    const store = new RedisStore(redis)
    const code = newDeviceCode()
    await store.deviceCodes.createDeviceCode(code)
    const [stray, dangling] = [newUserCodeId(), newUserCodeId()]
    await redis.set(`gosesh:user-code:${stray}`, code.id)
    await redis.set(`gosesh:user-code:${dangling}`, newDeviceCode().id)
    for (const userCodeId of [stray, dangling]) {
      t.equal(await store.deviceCodes.findDeviceCode(userCodeId), null)
      t.equal(await store.deviceCodes.decideDeviceCode(userCodeId, decisionOf('eve')), false)
    }
    await assertKept(store.deviceCodes, code)
  })

  t.test('between the claim of a user code and the code nobody can approve another code', async (t) => {
    const first = newDeviceCode()
    await new RedisStore(redis).deviceCodes.createDeviceCode(first)
    let calls = 0
    const held: (() => void)[] = []
    const stand: IoredisClient = {
      get: (key) => redis.get(key),
      evalsha: async (...args) => {
        if (calls++ === 1) await new Promise<void>((resolve) => held.push(resolve))
        return await redis.evalsha(...args)
      },
      eval: (...args) => redis.eval(...args),
      scan: (...args) => redis.scan(...args),
      on: () => {},
      listenerCount: () => 1,
    }
    const second = newDeviceCode({ id: first.id })
    const created = new RedisStore(stand).deviceCodes.createDeviceCode(second)
    await eventually('the user code is claimed', async () => held.length === 1)
    const store = new RedisStore(redis)
    t.equal(await store.deviceCodes.findDeviceCode(second.userCodeId), null)
    t.equal(await store.deviceCodes.decideDeviceCode(second.userCodeId, decisionOf('eve')), false)
    held[0]?.()
    t.equal(await created, false)
    t.equal(await redis.exists(`gosesh:user-code:${second.userCodeId}`), 0)
    await assertKept(store.deviceCodes, first)
  })

  t.test('a clean-up that fails does not fail the one who got the code', async (t) => {
    const store = new RedisStore(redis)
    const code = newDeviceCode()
    await store.deviceCodes.createDeviceCode(code)
    await redis.del(`gosesh:user-code:${code.userCodeId}`)
    await redis.hset(`gosesh:user-code:${code.userCodeId}`, 'a', 'b')
    t.equal((await store.deviceCodes.consumeDeviceCode(code.id))?.id, code.id)
    await t.rejects(store.deviceCodes.findDeviceCode(code.userCodeId), unavailable)
  })

  t.test('corrupt: what is no code is a failure, never a code and never an absence', async (t) => {
    const store = new RedisStore(redis)
    const code = newDeviceCode({ metadata: { a: 'b' } })
    const key = `gosesh:device-code:${code.id}`
    const change = async (changes: Record<string, string | null>): Promise<void> => {
      await redis.flushall()
      await store.deviceCodes.createDeviceCode(code)
      for (const [field, value] of Object.entries(changes)) {
        if (value === null) await redis.hdel(key, field)
        else await redis.hset(key, field, value)
      }
    }
    for (const changes of [
      { createdAt: null },
      { createdAt: 'yesterday' },
      { expiresAt: '' },
      { expiresAt: '9'.repeat(17) },
      { interval: '1e3' },
      { lastPolledAt: 'x' },
      { status: null },
      { status: 'done' },
      { status: 'approved' },
      { status: 'approved', userId: '' },
      { status: 'denied', userId: 'ada' },
      { userId: 'ada' },
      { metadata: '{' },
      { metadata: '[]' },
      { metadata: '{"a":1}' },
    ] as Record<string, string | null>[]) {
      await change(changes)
      const shown = JSON.stringify(changes)
      await t.rejects(store.deviceCodes.getDeviceCode(code.id), { ...unavailable, cause: undefined }, shown)
      await t.rejects(store.deviceCodes.findDeviceCode(code.userCodeId), unavailable, shown)
      await t.rejects(store.deviceCodes.consumeDeviceCode(code.id), unavailable, shown)
      t.equal(await store.deviceCodes.getDeviceCode(code.id), null, 'it can be got rid of')
    }
    await change({ userCodeId: null })
    await t.rejects(store.deviceCodes.getDeviceCode(code.id), unavailable)
    t.equal(await store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('eve')), false)
    await change({ interval: 'x' })
    await t.rejects(
      store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: new Date() }),
      unavailable,
    )
    await redis.set(key, 'x')
    await t.rejects(store.deviceCodes.getDeviceCode(code.id), unavailable)
    await t.rejects(store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')), unavailable)
  })

  t.test('a full server: no device can begin, and one that began can end', async (t) => {
    const store = new RedisStore(redis)
    const code = newDeviceCode()
    await store.deviceCodes.createDeviceCode(code)
    await store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada'))
    await redis.config('SET', 'maxmemory', '1')
    t.teardown(() => redis.config('SET', 'maxmemory', '0'))
    await t.rejects(store.deviceCodes.createDeviceCode(newDeviceCode()), { ...unavailable, cause: /OOM/ })
    t.equal((await store.deviceCodes.getDeviceCode(code.id))?.userId, 'ada')
    t.equal((await store.deviceCodes.consumeDeviceCode(code.id))?.userId, 'ada')
    t.equal(await redis.dbsize(), 0)
  })
}
