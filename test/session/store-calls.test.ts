import { once } from 'node:events'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'
import Fastify from 'fastify'
import t from 'tap'
import { within } from '../../lib/core/timing.js'
import gosesh from '../../lib/index.js'
import { StoreCalls } from '../../lib/session/bounded-store.js'
import { addRoutes, buildApp, signIn, whoami } from '../helpers/app.js'
import { fakeTime, settle } from '../helpers/clock.js'
import { WatchedStore } from '../helpers/store.js'

const settings = { storeTimeout: 2_000, maxPendingStoreCalls: 1_000 }

/** A call that is answered from outside. */
function heldCall(): { call: () => Promise<string>; answer: (value: string) => void } {
  let answer = (_value: string): void => {}
  const answered = new Promise<string>((resolve) => {
    answer = resolve
  })
  return { call: () => answered, answer }
}

t.test('a call settles as the store does', async (t) => {
  const calls = new StoreCalls(new WatchedStore(), settings)
  t.equal(await calls.run('one', async () => 1), 1)
  t.equal(await calls.run('plain', () => 2), 2, 'also where a store answers without a promise')
  const cause = new Error('refused')
  const failing = { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause, message: /\(two\)$/ }
  await t.rejects(
    calls.run('two', () => Promise.reject(cause)),
    failing,
  )
  const throwing = calls.run('two', () => {
    throw cause
  })
  await t.rejects(throwing, failing)
})

t.test('an answer without a promise is there at once', async (t) => {
  t.equal(
    new StoreCalls(new WatchedStore(), settings).ask(() => null, undefined),
    null,
  )
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
  const calls = new StoreCalls(new WatchedStore(), settings)
  const held = Array.from({ length: 5 }, heldCall)
  const outcomes: string[] = []
  for (const [index, { call }] of held.entries()) {
    void calls.run('held', call).then(
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
  const calls = new StoreCalls(new WatchedStore(), settings)
  await calls.run('quick', async () => 1)
  await time.advance(1_500, 100)
  const late = calls.run('hung', () => new Promise(() => {}))
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
  const calls = new StoreCalls(new WatchedStore(), { storeTimeout: 100, maxPendingStoreCalls: 10 })
  for (let i = 0; i < 5; i++) t.equal(await calls.run('ask', ask), 'answer')
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

t.test('past maxPendingStoreCalls a call fails at once', async (t) => {
  const calls = new StoreCalls(new WatchedStore(), { storeTimeout: 2_000, maxPendingStoreCalls: 2 })
  const held = [heldCall(), heldCall()]
  const running = held.map(({ call }) => calls.run('held', call))
  let called = 0
  const third = (): Promise<unknown> => calls.run('third', async () => void called++)
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
