import t from 'tap'
import { FlushError, type SessionId } from '../../../lib/index.js'
import { settle } from '../../tools/clock.js'
import { newId, setUp } from './tracker-fixtures.js'

t.test('a flush', async (t) => {
  t.test('writes batches of maxBatchSize and logs each at debug', async (t) => {
    const { tracker, store, log, time } = setUp(t, { maxBatchSize: 2 })
    for (let i = 0; i < 5; i++) tracker.recordActivity(newId(), new Date(time.now()))
    await tracker.flush()
    const sizes = store.calls.map(({ args }) => (args[0] as Map<SessionId, Date>).size)
    t.same(sizes, [2, 2, 1])
    t.match(log.withMessage('flushed activity batch'), [
      { level: 'debug', details: { updatedCount: 0, batchSize: 2, durationMs: Number } },
      { level: 'debug', details: { batchSize: 2 } },
      { level: 'debug', details: { batchSize: 1 } },
    ])
    t.match(tracker, { pendingCount: 0, stats: { flushed: 5 } })
  })

  t.test('yields to the event loop between batches', async (t) => {
    const { tracker, store, time } = setUp(t, { maxBatchSize: 1 })
    const order: string[] = []
    store.on('batchRecordActivity', async () => {
      order.push('batch')
      setImmediate(() => order.push('turn'))
      return 1
    })
    for (let i = 0; i < 3; i++) tracker.recordActivity(newId(), new Date(time.now()))
    await tracker.flush()
    t.same(order, ['batch', 'turn', 'batch', 'turn', 'batch', 'turn'])
  })

  t.test('asked for by the store from within a batch waits for the one that runs', async (t) => {
    const { tracker, flusher, store, time } = setUp(t, { maxBatchSize: 1 })
    let within: Promise<void> | undefined
    let running = 0
    let most = 0
    store.on('batchRecordActivity', async (proceed) => {
      most = Math.max(most, ++running)
      within ??= flusher.flush()
      await settle(1)
      running--
      return await proceed()
    })
    for (let i = 0; i < 3; i++) tracker.recordActivity(newId(), new Date(time.now()))
    await tracker.flush()
    await within
    t.equal(most, 1, 'two flushes never run at once')
    t.equal(tracker.pendingCount, 0)
  })

  t.test('that is empty makes no call and no log line', async (t) => {
    const { tracker, store, log } = setUp(t)
    await tracker.flush()
    t.same([store.calls, log.lines], [[], []])
  })

  t.test(
    'called during a flush writes what was recorded before the call, and callers share it',
    async (t) => {
      const { tracker, store, time } = setUp(t)
      tracker.recordActivity(newId(), new Date(time.now()))
      const release = store.hold('batchRecordActivity')
      const first = tracker.flush()
      tracker.recordActivity(newId(), new Date(time.now()))
      const [second, third] = [tracker.flush(), tracker.flush()]
      t.equal(second, third)
      release()
      await Promise.all([first, second])
      t.same(store.counts, { batchRecordActivity: 2 })
      t.equal(tracker.pendingCount, 0)
    },
  )

  t.test('called during one that fails writes that again', async (t) => {
    const { tracker, store, time } = setUp(t)
    tracker.recordActivity(newId(), new Date(time.now()))
    store.on('batchRecordActivity', async () => {
      store.off('batchRecordActivity')
      throw new Error('down')
    })
    const first = tracker.flush()
    const second = tracker.flush()
    await t.rejects(first, { code: 'GOSESH_ERR_FLUSH' })
    await second
    t.equal(tracker.pendingCount, 0)
  })

  t.test(
    'that fails rejects with the FlushError, tells onFlushError, warns, and keeps the batch',
    async (t) => {
      const { tracker, store, log, failures, time } = setUp(t)
      const id = newId()
      tracker.recordActivity(id, new Date(time.now()))
      const cause = new Error('connection refused')
      store.fail('batchRecordActivity', cause)
      await t.rejects(tracker.flush(), { code: 'GOSESH_ERR_FLUSH', batchSize: 1, cause })
      t.equal(failures[0]?.cause, cause)
      t.ok(failures[0] instanceof FlushError)
      t.match(log.above('debug'), [{ level: 'warn', details: { batchSize: 1, err: failures[0] } }])
      t.match(tracker, { pendingCount: 1, stats: { flushed: 0, failedFlushes: 1 } })
    },
  )

  t.test('that begins just as another ends is the one that a waiting caller gets', async (t) => {
    const { store, tracker, time } = setUp(t)
    const at = new Date(time.now())
    let atOnce = 0
    store.on('batchRecordActivity', async (proceed) => {
      t.equal(++atOnce, 1, 'never two at once')
      await settle()
      atOnce--
      return await proceed()
    })
    tracker.recordActivity(newId(), at)
    const first = tracker.flush()
    tracker.recordActivity(newId(), at)
    const waiting = tracker.flush()
    const justAfter = first.then(() => {
      store.on('batchRecordActivity', async () => {
        throw new Error('refused')
      })
      return tracker.flush()
    })
    for (const flush of [waiting, justAfter]) await t.rejects(flush, { code: 'GOSESH_ERR_FLUSH' })
    t.equal(tracker.pendingCount, 1, 'and what it could not write is pending')
  })

  t.test('goes on with the next batch after one that failed', async (t) => {
    const { tracker, store, failures, time } = setUp(t, { maxBatchSize: 1 })
    for (let i = 0; i < 3; i++) tracker.recordActivity(newId(), new Date(time.now()))
    let calls = 0
    store.on('batchRecordActivity', async () => {
      if (++calls === 2) throw new Error('one bad batch')
      return 1
    })
    await t.rejects(tracker.flush(), { code: 'GOSESH_ERR_FLUSH' })
    t.match(
      { calls, failed: failures.length, pending: tracker.pendingCount },
      { calls: 3, failed: 1, pending: 1 },
    )
  })

  t.test('that hangs ends after flushTimeout, with everything back in pending', async (t) => {
    const { tracker, store, failures, time } = setUp(t, { maxBatchSize: 1 })
    for (let i = 0; i < 3; i++) tracker.recordActivity(newId(), new Date(time.now()))
    store.hang('batchRecordActivity')
    const flush = tracker.flush()
    flush.catch(() => {})
    await time.advance(5_000)
    await t.rejects(flush, { code: 'GOSESH_ERR_FLUSH', cause: { message: 'no answer in 5000 ms' } })
    t.same(store.counts, { batchRecordActivity: 1 }, 'no further call to hang on')
    t.match({ failed: failures.length, pending: tracker.pendingCount }, { failed: 1, pending: 3 })
  })

  t.test('with a logger that throws rejects, and keeps all that it did not write', async (t) => {
    const { store, log, flusher, time } = setUp(t, { maxBatchSize: 1 })
    for (let i = 0; i < 3; i++) flusher.record(newId(), time.now())
    store.fail('batchRecordActivity', new Error('refused'))
    const thrown = new Error('the disk of the log is full')
    t.capture(log, 'warn', () => {
      throw thrown
    })
    await t.rejects(flusher.flush(), thrown)
    t.equal(flusher.pendingCount, 3)
    store.off('batchRecordActivity')
    await flusher.flush()
    t.equal(flusher.pendingCount, 0)
  })

  t.test('that takes longer than flushInterval is warned about', async (t) => {
    const { tracker, store, log, time } = setUp(t, { flushInterval: 1_000, flushTimeout: 60_000 })
    tracker.recordActivity(newId(), new Date(time.now()))
    const release = store.hold('batchRecordActivity')
    const flush = tracker.flush()
    await time.advance(2_000)
    release()
    await flush
    t.match(log.above('debug'), [{ level: 'warn', details: { durationMs: 2_000, flushInterval: 1_000 } }])
  })

  for (const [kind, onFlushError] of [
    [
      'throws',
      () => {
        throw new Error('bug')
      },
    ],
    ['rejects', () => Promise.reject(new Error('bug'))],
  ] as const) {
    t.test(`whose onFlushError ${kind} goes on, and the error is logged`, async (t) => {
      const { tracker, store, log, time } = setUp(t, { onFlushError })
      tracker.recordActivity(newId(), new Date(time.now()))
      store.fail('batchRecordActivity')
      await t.rejects(tracker.flush(), { code: 'GOSESH_ERR_FLUSH' })
      t.match(log.withMessage('onFlushError threw'), [
        { level: 'error', details: { err: { message: 'bug' } } },
      ])
    })
  }
})
