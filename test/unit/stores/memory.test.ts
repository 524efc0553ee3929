import { setImmediate as nextTurn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { createSecret, createSessionId, hashSecret } from '../../../lib/core/token.js'
import { MemoryStore, type MemoryStoreOptions } from '../../../lib/stores/memory/store.js'
import { newDeviceCode } from '../../../lib/testing/device-codes/fixtures.js'
import {
  deviceCodeStoreContract,
  sessionDataStoreContract,
  sessionStoreContract,
} from '../../../lib/testing/index.js'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { SessionRecord } from '../../../types/store.js'
import { testUserCodes } from '../../tools/user-codes.js'

const now = Date.now()

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Bytes in use, once what other tests left has been collected. */
async function heapUsed(): Promise<number> {
  await nextTurn()
  collectGarbage()
  return process.memoryUsage().heapUsed
}

function session(
  userId = 'user',
  deadline = now + 3_600_000,
  metadata: SessionMetadata | null = null,
): SessionRecord {
  return {
    id: createSessionId(),
    secretHash: hashSecret(createSecret()),
    version: 1,
    userId,
    createdAt: new Date(now),
    lastActivityAt: new Date(now),
    authenticatedAt: new Date(now),
    idleTimeout: null,
    idleDeadline: null,
    absoluteTimeout: deadline - now,
    absoluteDeadline: new Date(deadline),
    persistent: true,
    deviceBound: false,
    metadata,
    details: null,
  }
}

async function filled(count: number, options?: MemoryStoreOptions): Promise<MemoryStore> {
  const store = new MemoryStore(options)
  for (let i = 0; i < count; i++) await store.createSession(session('user', now - 1, { device: 'phone' }))
  return store
}

sessionStoreContract({
  test: t.test,
  createStore: () => new MemoryStore(),
  capabilities: [
    'batchRecordActivity',
    'listUserSessions',
    'deleteExpiredSessions',
    'deleteAllSessions',
    'deleteSessionsByMetadata',
    'updateSession',
    'deleteUser',
  ],
})
deviceCodeStoreContract({ test: t.test, createStore: () => new MemoryStore() })
sessionDataStoreContract({ test: t.test, createStore: () => new MemoryStore() })

t.test('deleteUser deletes the device codes of the user', (t) => testUserCodes(t, new MemoryStore()))

t.test('past maxSessions a creation rejects, and leaves the store as it was', async (t) => {
  const store = await filled(2, { maxSessions: 2 })
  const refused = session('refused')
  await t.rejects(store.createSession(refused), { code: 'GOSESH_ERR_STORE_FULL', statusCode: 503 })
  t.equal(await store.getSession(refused.id), null)
  t.strictSame(await store.listUserSessions('refused'), [])
  t.equal(await store.deleteAllSessions(), 2)
})

t.test('a full store says of an id that exists that it exists', async (t) => {
  const store = new MemoryStore({ maxSessions: 1 })
  const first = session()
  await store.createSession(first)
  await t.rejects(store.createSession(first), { code: 'GOSESH_ERR_SESSION_EXISTS' })
})

t.test('every way of deleting makes room in a full store', async (t) => {
  const ways: Record<string, (store: MemoryStore) => Promise<unknown>> = {
    deleteSession: async (store) => {
      const [first] = await store.listUserSessions('user')
      return first && store.deleteSession(first.id)
    },
    deleteUserSessions: (store) => store.deleteUserSessions('user'),
    deleteExpiredSessions: (store) => store.deleteExpiredSessions(new Date(now), 1),
    deleteAllSessions: (store) => store.deleteAllSessions(),
    deleteSessionsByMetadata: (store) => store.deleteSessionsByMetadata({ device: 'phone' }),
  }
  for (const [name, way] of Object.entries(ways)) {
    const store = await filled(3, { maxSessions: 3 })
    await t.rejects(store.createSession(session()), { code: 'GOSESH_ERR_STORE_FULL' }, name)
    await way(store)
    await t.resolves(store.createSession(session()), name)
  }
})

t.test('a wrong maxSessions throws, naming the option and the value', async (t) => {
  for (const [value, shown] of [
    [0, '0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['10', "'10'"],
  ] as const) {
    t.throws(() => new MemoryStore({ maxSessions: value as number }), {
      code: 'GOSESH_ERR_OPTION',
      message: `Option maxSessions is ${shown}; expected a whole number, 1 or more`,
    })
  }
})

t.test('an unknown option throws, naming it and the known ones', async (t) => {
  t.throws(() => new MemoryStore({ maxSession: 5 } as MemoryStoreOptions), {
    code: 'GOSESH_ERR_OPTION',
    message:
      'Option MemoryStore.maxSession is 5; expected no such option; known are maxSessions, maxVisitors, maxDeviceCodes',
  })
})

t.test('options that are no object throw', async (t) => {
  for (const options of [null, 5, []]) {
    t.throws(() => new MemoryStore(options as MemoryStoreOptions), { code: 'GOSESH_ERR_OPTION' })
  }
})

t.test('maxSessions given as undefined is the default', async (t) => {
  await t.resolves(filled(1, { maxSessions: undefined }))
})

t.test('a sweep of many sessions lets other work run in between', async (t) => {
  const store = await filled(25_000)
  let ended = false
  const sweep = store.deleteExpiredSessions(new Date(now), 30_000).finally(() => {
    ended = true
  })
  await nextTurn()
  t.equal(ended, false, 'a turn of the event loop came first')
  t.equal(await sweep, 25_000)
})

t.test('a session deleted during a sweep is counted once, and one created meanwhile stays', async (t) => {
  const store = await filled(25_000)
  const sweep = store.deleteExpiredSessions(new Date(now), 30_000)
  const live = session()
  await store.createSession(live)
  const deleted = await store.deleteUserSessions('user', { except: live.id })
  t.equal((await sweep) + deleted, 25_000)
  t.strictSame(await store.getSession(live.id), live)
})

t.test('a user whose sessions are gone takes no memory', async (t) => {
  const store = new MemoryStore()
  const [users, idLength] = [1_000, 20_000]
  const ids: SessionId[] = []
  for (let i = 0; i < users; i++) {
    // Of bytes, because a repeated string shares its parts.
    const signedIn = session(Buffer.alloc(idLength, `user ${i} `).toString('latin1'))
    await store.createSession(signedIn)
    ids.push(signedIn.id)
  }
  const full = await heapUsed()
  for (const id of ids) await store.deleteSession(id)
  t.ok(full - (await heapUsed()) > 0.8 * users * idLength, 'the user ids are gone too')
  t.strictSame(await store.listUserSessions('user 1'), [], 'while the store lives on')
})

t.test('a sweep during which every session is deleted ends', async (t) => {
  const store = new MemoryStore()
  for (let i = 0; i < 20_001; i++) await store.createSession(session())
  const sweep = store.deleteExpiredSessions(new Date(now), 1_000)
  await store.deleteAllSessions()
  t.equal(await sweep, 0)
})

t.test('chunks of a sweep go on where the last one ended, and a later sweep sees all', async (t) => {
  const store = new MemoryStore()
  for (let i = 0; i < 10; i++) await store.createSession(session('live'))
  for (let i = 0; i < 10; i++) await store.createSession(session('expired', now - 1))
  const before = new Date(now)
  t.same([await store.deleteExpiredSessions(before, 4), await store.deleteExpiredSessions(before, 4)], [4, 4])
  await store.createSession(session('expired', now - 1))
  t.equal(await store.deleteExpiredSessions(before, 4), 3)
  t.same(await store.listUserSessions('expired'), [])
  t.equal((await store.listUserSessions('live')).length, 10)
})

t.test('sessions are found by any pairs, indexed or not', async (t) => {
  const store = await filled(3)
  const [first, second] = [
    session('ada', undefined, { device: 'tablet', oidc_sub: 'ada' }),
    session('ada', undefined, { device: 'tablet', oidc_sub: 'bob' }),
  ]
  await store.createSession(first)
  await store.createSession(second)
  t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: 'ada', device: 'phone' }), [])
  t.strictSame(await store.deleteSessionsByMetadata({ device: 'tablet', oidc_sub: 'bob' }), [second.id])
  t.strictSame(await store.deleteSessionsByMetadata({ device: 'tablet' }), [first.id])
  t.equal((await store.listUserSessions('user')).length, 3)
})

t.test('a subject is found among many sessions without looking at them', async (t) => {
  const store = new MemoryStore()
  for (let i = 0; i < 200_000; i++) {
    await store.createSession(session('user', undefined, { oidc_iss: 'op', oidc_sub: `${i}` }))
  }
  const time = async (pairs: SessionMetadata): Promise<number> => {
    const start = performance.now()
    t.equal((await store.deleteSessionsByMetadata(pairs)).length, 1)
    return performance.now() - start
  }
  const indexed = Math.min(await time({ oidc_sub: '5' }), await time({ oidc_iss: 'op', oidc_sub: '199999' }))
  await store.createSession(session('user', undefined, { device: 'tablet' }))
  const all = await time({ device: 'tablet' })
  t.ok(indexed * 20 < all, `${indexed} ms against ${all} ms`)
})

t.test('expired device codes make room for new ones by themselves', async (t) => {
  const store = new MemoryStore({ maxDeviceCodes: 2 })
  const codes = [newDeviceCode(), newDeviceCode(), newDeviceCode()] as const
  await store.deviceCodes.createDeviceCode(codes[0])
  await store.deviceCodes.createDeviceCode({
    ...codes[1],
    expiresAt: new Date(codes[1].expiresAt.getTime() + 60_000),
  })
  const createdAt = codes[0].expiresAt
  t.equal(await store.deviceCodes.createDeviceCode({ ...codes[2], createdAt }), true)
  t.equal(await store.deviceCodes.getDeviceCode(codes[0].id), null)
  t.ok(await store.deviceCodes.getDeviceCode(codes[1].id))
})

t.test('past maxDeviceCodes a creation rejects, and a consumed or expired code makes room', async (t) => {
  const store = new MemoryStore({ maxDeviceCodes: 2 })
  const [first, second] = [newDeviceCode(), newDeviceCode()]
  t.equal(await store.deviceCodes.createDeviceCode(first), true)
  t.equal(await store.deviceCodes.createDeviceCode(second), true)
  await t.rejects(store.deviceCodes.createDeviceCode(newDeviceCode()), {
    code: 'GOSESH_ERR_STORE_FULL',
    message: /device codes/,
    statusCode: 503,
  })
  t.equal(await store.deviceCodes.createDeviceCode(first), false, 'a taken id is still told')
  await store.deviceCodes.consumeDeviceCode(first.id)
  t.equal(await store.deviceCodes.createDeviceCode(first), true)
  await store.deviceCodes.deleteExpiredDeviceCodes(new Date(second.expiresAt.getTime() + 1), 1)
  t.equal(await store.deviceCodes.createDeviceCode(newDeviceCode()), true)
  t.throws(() => new MemoryStore({ maxDeviceCodes: 0 }), {
    code: 'GOSESH_ERR_OPTION',
    message: 'Option maxDeviceCodes is 0; expected a whole number, 1 or more',
  })
})
