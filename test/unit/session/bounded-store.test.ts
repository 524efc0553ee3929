import { once } from 'node:events'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import Fastify from 'fastify'
import t from 'tap'
import { within } from '../../../lib/core/timing.js'
import gosesh, { type DeviceCodeId, MemoryStore, type SessionId } from '../../../lib/index.js'
import { BoundedStore, type StoreLimits } from '../../../lib/session/bounded-store.js'
import { addRoutes, buildApp, signIn, whoami } from '../../tools/app.js'
import { fakeTime, settle } from '../../tools/clock.js'
import { WatchedStore } from '../../tools/store.js'

const limits: StoreLimits = { storeTimeout: 2_000, maxPendingStoreCalls: 1_000 }

/** A store whose `upsertUser` is this function, within limits. */
function boundedStore(upsertUser: (id: string) => unknown, given = limits): BoundedStore {
  return new BoundedStore(Object.assign(new MemoryStore(), { upsertUser }), given)
}

/** A call that is answered from outside. */
function heldCall(): { call: () => Promise<string>; answer: (value: string) => void } {
  let answer = (_value: string): void => {}
  const answered = new Promise<string>((resolve) => {
    answer = resolve
  })
  return { call: () => answered, answer }
}

t.test('a call settles as the store does', async (t) => {
  t.equal(await boundedStore(async () => 'one').upsertUser('ada'), 'one')
  t.equal(
    await boundedStore(() => 'two').upsertUser('ada'),
    'two',
    'also where a store answers without a promise',
  )
  const cause = new Error('refused')
  const failing = { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause, message: /\(upsertUser\)$/ }
  await t.rejects(boundedStore(() => Promise.reject(cause)).upsertUser('ada'), failing)
  const throwing = boundedStore(() => {
    throw cause
  })
  await t.rejects(throwing.upsertUser('ada'), failing)
})

t.test('an answer without a promise is there at once', async (t) => {
  t.equal(new BoundedStore(new MemoryStore(), limits).getSession('none' as SessionId), null)
})

t.test('it has the capabilities of the store, each within the limits, and no others', async (t) => {
  const time = fakeTime(t)
  const store = new WatchedStore()
  const bounded = new BoundedStore(store, limits)
  store.hang('listUserSessions')
  store.hang('consumeDeviceCode')
  store.hang('deleteAllSessions')
  const settled: string[] = []
  const calls = [
    bounded.listUserSessions?.('ada'),
    bounded.deviceCodes?.consumeDeviceCode('none' as DeviceCodeId),
    bounded.deleteAllSessions?.(),
  ]
  for (const call of calls) call?.catch((error) => settled.push(error.message))
  await time.advance(10_000, 1_000)
  t.same(settled, [
    'The session store is unavailable (listUserSessions)',
    'The session store is unavailable (consumeDeviceCode)',
  ])
  store.fail('deleteAllSessions')
  await t.rejects(async () => bounded.deleteAllSessions?.(), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  t.notOk('batchRecordActivity' in bounded, 'a flush has limits of its own')
  const { upsertUser, createSession, getSession, extendSession, deleteSession, deleteUserSessions } = store
  const least = { upsertUser, createSession, getSession, extendSession, deleteSession, deleteUserSessions }
  t.notOk('listUserSessions' in new BoundedStore(least, limits))
  t.notOk('deviceCodes' in new BoundedStore(least, limits))
})

t.test('with a store that answers at once a request goes on in the same turn', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const order: string[] = []
  app.addHook('onRequest', (_request, _reply, done) => {
    queueMicrotask(() => order.push('the next turn'))
    done()
  })
  app.register(gosesh)
  app.register(async (inner) => {
    inner.addHook('onRequest', (request, _reply, done) => {
      order.push(`the next hook, for ${request.session?.userId}`)
      done()
    })
    addRoutes(inner)
  })
  const { cookie } = await signIn(app)
  order.length = 0
  await whoami(app, cookie)
  t.same(order, ['the next hook, for ada', 'the next turn'])
})

t.test('every call has its own time, and answers in any order', async (t) => {
  const time = fakeTime(t)
  const held = Array.from({ length: 5 }, heldCall)
  const store = boundedStore((index) => held[Number(index)]?.call())
  const outcomes: string[] = []
  for (const index of held.keys()) {
    void store.upsertUser(`${index}`).then(
      (value) => outcomes.push(`${index} ${value} at ${time.now() - start}`),
      (error) => outcomes.push(`${index} ${error.cause.message} at ${time.now() - start}`),
    )
    if (index === 0) await time.advance(500, 100)
  }
  const start = time.now() - 500
  held[2]?.answer('middle')
  await settle()
  await time.advance(1_000, 100)
  held[4]?.answer('newest')
  await settle()
  await time.advance(2_000, 100)
  held[0]?.answer('too late')
  await settle()
  t.same(outcomes, [
    '2 middle at 500',
    '4 newest at 1500',
    '0 no answer in 2000 ms at 2000',
    '1 no answer in 2000 ms at 2500',
    '3 no answer in 2000 ms at 2500',
  ])
})

t.test('calls that come after all others were answered have their whole time', async (t) => {
  const time = fakeTime(t)
  const store = boundedStore((id) => (id === 'quick' ? Promise.resolve(id) : new Promise(() => {})))
  await store.upsertUser('quick')
  await time.advance(1_500, 100)
  const late = store.upsertUser('hung')
  let failedAt = 0
  late.catch(() => {
    failedAt = time.now()
  })
  const began = time.now()
  await time.advance(3_000, 100)
  t.equal(failedAt - began, 2_000)
})

t.test('an answer that arrived while the event loop stood still is in time', async (t) => {
  const worker = new Worker(
    `const { createServer } = require('node:net')
    const { parentPort } = require('node:worker_threads')
    const server = createServer((socket) => socket.once('data', (data) => socket.end(data)))
    server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port))`,
    { eval: true },
  )
  t.teardown(() => worker.terminate())
  const [port] = await once(worker, 'message')
  const ask = async (): Promise<string> => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8')
    await once(socket, 'connect')
    socket.write('answer')
    // The server is in a thread of its own, so it answers while this one stands still past the timeout.
    queueMicrotask(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300))
    const [answer] = await once(socket, 'data')
    return answer
  }
  const store = boundedStore(ask, { storeTimeout: 100, maxPendingStoreCalls: 10 })
  for (let i = 0; i < 5; i++) t.equal(await store.upsertUser('ada'), 'answer')
  t.equal(await within(ask(), 100, () => new Error('late')), 'answer', 'within as well')
})

t.test('an answer that throws when it is looked at is an outage', async (t) => {
  const store = new WatchedStore()
  const app = buildApp(t, { store })
  const { cookie } = await signIn(app)
  const answer = Object.defineProperty({}, 'then', {
    get() {
      throw new Error('no such thing')
    },
  })
  store.on('getSession', () => answer as never)
  const response = await app.inject({ url: '/whoami', headers: { cookie } })
  t.match(response.json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
})

t.test('an answer that is half a session is an outage, at hand or not, whatever it lacks', async (t) => {
  for (const activityTracking of [false, {}] as const) {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking })
    const { cookie, session } = await signIn(app)
    const whole = store.getSession(session.id)
    for (const name of ['createdAt', 'lastActivityAt', 'absoluteDeadline'] as const) {
      const half = { ...whole, [name]: undefined }
      for (const answer of [half, Promise.resolve(half)]) {
        store.on('getSession', () => answer as never)
        const { statusCode } = await app.inject({ url: '/whoami', headers: { cookie } })
        t.ok(
          statusCode === 503 || (name === 'lastActivityAt' && activityTracking !== false),
          `${name}: ${statusCode}`,
        )
      }
    }
  }
})

t.test('a session that is created too late is deleted again, also at the limit of calls', async (t) => {
  const store = new WatchedStore()
  const app = buildApp(t, { store, storeTimeout: 50, maxPendingStoreCalls: 1 })
  await app.ready()
  const release = store.hold('createSession')
  await t.rejects(app.gosesh.createSession('ada'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  store.hang('upsertUser')
  const hanging = t.rejects(app.gosesh.upsertUser('ada'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  release()
  await settle()
  t.equal(store.counts.deleteSession, 1)
  t.same(await store.listUserSessions('ada'), [])
  await hanging
})

t.test('a call that is refused for the number of calls undoes nothing', async (t) => {
  const store = new WatchedStore()
  const app = buildApp(t, { store, storeTimeout: 50, maxPendingStoreCalls: 1 })
  await app.ready()
  store.hang('upsertUser')
  const hanging = t.rejects(app.gosesh.upsertUser('ada'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  await t.rejects(app.gosesh.createSession('ada'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  await hanging
  await settle()
  t.same([store.counts.createSession, store.counts.deleteSession], [undefined, undefined])
})

t.test('past maxPendingStoreCalls a call fails at once', async (t) => {
  const held = [heldCall(), heldCall()]
  let called = 0
  const answer = async (id: string) => held[Number(id)]?.call() ?? `${++called}`
  const store = boundedStore(answer, { storeTimeout: 2_000, maxPendingStoreCalls: 2 })
  const running = held.map((_, index) => store.upsertUser(`${index}`))
  const third = (): Promise<unknown> => store.upsertUser('2')
  await t.rejects(third(), {
    code: 'GOSESH_ERR_STORE_UNAVAILABLE',
    statusCode: 503,
    cause: { message: '2 calls wait for the store already' },
  })
  t.equal(called, 0, 'the store is not given more to do')
  for (const { answer } of held) answer('done')
  t.same(await Promise.all(running), ['done', 'done'])
  await third()
  t.equal(called, 1, 'and there is room again')
})

t.test('requests past maxPendingStoreCalls are answered with 503 while the others still wait', async (t) => {
  const store = new WatchedStore()
  const app = buildApp(t, { store, storeTimeout: 60_000, maxPendingStoreCalls: 10 })
  const { cookie } = await signIn(app)
  const release = store.hold('getSession')
  store.reset()
  const get = () => app.inject({ url: '/me', headers: { cookie } })
  const waiting = Array.from({ length: 10 }, get)
  while (store.calls.length < 10) await settle()
  const refused = await Promise.all(Array.from({ length: 50 }, get))
  t.same(new Set(refused.map((response) => response.statusCode)), new Set([503]))
  t.equal((await app.inject('/health')).statusCode, 200)
  t.equal(store.calls.length, 10)
  release()
  t.same(new Set((await Promise.all(waiting)).map((response) => response.statusCode)), new Set([200]))
  t.equal((await get()).statusCode, 200)
})
