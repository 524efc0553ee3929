import t, { type Test } from 'tap'
import { ActivityFlusher, PublicTracker, type TrackerSettings } from '../../../lib/activity/flusher.js'
import { createToken, sessionIdOf } from '../../../lib/core/token.js'
import { FlushError, MemoryStore, type SessionId } from '../../../lib/index.js'
import { fakeTime, settle } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

function newId(): SessionId {
  return sessionIdOf(createToken())
}

function setUp(t: Test, given: Partial<TrackerSettings> = {}) {
  const time = fakeTime(t)
  const store = new WatchedStore()
  const log = recordingLogger()
  const failures: FlushError[] = []
  const settings: TrackerSettings = {
    flushInterval: 30_000,
    flushTimeout: 5_000,
    maxBatchSize: 5_000,
    maxPending: 1_000_000,
    onFlushError: (error) => void failures.push(error),
    ...given,
  }
  const flusher = new ActivityFlusher(store, settings, time, log)
  return { time, store, log, failures, flusher, tracker: new PublicTracker(flusher) }
}

t.test('the tracker’s own state cannot be reached from outside', async (t) => {
  const { flusher, tracker } = setUp(t)
  t.same(Reflect.ownKeys(PublicTracker.prototype).sort(), [
    'constructor',
    'flush',
    'pendingCount',
    'recordActivity',
    'stats',
  ])
  t.ok(Object.isFrozen(tracker))
  for (const object of [tracker, flusher]) t.same(Reflect.ownKeys(object), [], 'private fields all')
  const { stats } = tracker
  Object.assign(stats, { recorded: 99 })
  t.equal(tracker.stats.recorded, 0, 'stats are a copy')
})

t.test('recording never blocks: synchronous, without I/O, bounded, dropping and counting', async (t) => {
  const { store, tracker, log, time } = setUp(t, { maxPending: 3 })
  const ids = Array.from({ length: 5 }, newId)
  for (const id of ids) t.equal(tracker.recordActivity(id, new Date(time.now())), undefined)
  t.same(store.counts, {})
  t.match(tracker, { pendingCount: 3, stats: { recorded: 3, dropped: 2 } })
  t.equal(log.lines.length, 0)
  await tracker.flush()
  t.match(
    log.above('debug'),
    [{ level: 'warn', details: { droppedCount: 2, maxPending: 3 } }],
    'one warning a flush',
  )
  await tracker.flush()
  t.equal(log.above('debug').length, 1, 'and none without a drop')
})

t.test('an invalid time throws, a future one counts as now, and what is no session id throws', async (t) => {
  const { tracker, flusher, time } = setUp(t)
  const id = newId()
  for (const wrong of [new Date(Number.NaN), time.now(), undefined, null, '2030-01-01'] as Date[]) {
    t.throws(() => tracker.recordActivity(id, wrong), { code: 'GOSESH_ERR_ACTIVITY_TIME' })
  }
  for (const wrong of [undefined, '', 'ada', 1] as unknown as SessionId[]) {
    t.throws(() => tracker.recordActivity(wrong, new Date()), { code: 'GOSESH_ERR_SESSION_ID' })
  }
  t.equal(tracker.pendingCount, 0)
  tracker.recordActivity(id, new Date(time.now() + 60_000))
  t.equal(flusher.latest(id), time.now())
})

t.test('after the clock stepped back, a time that was now before counts as now', async (t) => {
  const store = new WatchedStore()
  let now = 1_900_000_000_000
  const settings = {
    flushInterval: 30_000,
    flushTimeout: 5_000,
    maxBatchSize: 5,
    maxPending: 5,
    onFlushError: () => {},
  }
  const flusher = new ActivityFlusher(store, settings, { now: () => now }, recordingLogger())
  const [one, two] = [newId(), newId()]
  flusher.recordActivity(one, new Date(now))
  now -= 60_000
  flusher.recordActivity(two, new Date(now + 60_000))
  t.equal(flusher.latest(two), now)
})

t.test('several records of one session before a flush are written as one, the newest', async (t) => {
  const { tracker, store, time } = setUp(t)
  const id = newId()
  const now = time.now()
  for (const at of [now - 3_000, now - 1_000, now - 2_000]) tracker.recordActivity(id, new Date(at))
  t.match(tracker, { pendingCount: 1, stats: { recorded: 3 } })
  await tracker.flush()
  const batch = store.calls[0]?.args[0]
  t.same([...(batch as Map<SessionId, Date>)], [[id, new Date(now - 1_000)]])
})

t.test('the timer', async (t) => {
  t.test('flushes at most flushInterval after the last flush, up to a tenth sooner', async (t) => {
    const { flusher, store, time } = setUp(t)
    flusher.start()
    flusher.record(newId(), time.now())
    await time.advance(26_999)
    t.same(store.counts, {})
    await time.advance(3_001)
    t.same(store.counts, { batchRecordActivity: 1 })
    await flusher.stop()
  })

  t.test('is re-armed after each flush, so that two never overlap', async (t) => {
    const { flusher, store, time } = setUp(t, { flushTimeout: 600_000 })
    flusher.start()
    const release = store.hold('batchRecordActivity')
    flusher.record(newId(), time.now())
    await time.advance(30_000)
    flusher.record(newId(), time.now())
    await time.advance(300_000)
    t.same(store.counts, { batchRecordActivity: 1 })
    release()
    await settle()
    await time.advance(30_000)
    t.same(store.counts, { batchRecordActivity: 2 })
    await flusher.stop()
  })

  t.test('goes on after a failed flush', async (t) => {
    const { flusher, store, time, failures } = setUp(t)
    flusher.start()
    store.fail('batchRecordActivity')
    flusher.record(newId(), time.now())
    await time.advance(90_000)
    t.ok(failures.length >= 3)
    const stopped = flusher.stop()
    await time.advance(5_000)
    await stopped
    const { length } = failures
    await time.advance(90_000)
    t.equal(failures.length, length, 'until it is stopped')
  })
})

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

t.test('stopping', async (t) => {
  t.test('waits for the running flush and writes what is left', async (t) => {
    const { flusher, tracker, store, time, log } = setUp(t)
    flusher.start()
    flusher.record(newId(), time.now())
    const release = store.hold('batchRecordActivity')
    const running = tracker.flush()
    flusher.record(newId(), time.now())
    const stopped = flusher.stop()
    await settle()
    release()
    await Promise.all([running, stopped])
    t.match(tracker, { pendingCount: 0, stats: { flushed: 2, lost: 0 } })
    t.same(log.above('debug'), [])
  })

  t.test('writes what is recorded during the last flush', async (t) => {
    const { flusher, store, time } = setUp(t)
    flusher.start()
    flusher.record(newId(), time.now())
    const release = store.hold('batchRecordActivity')
    const stopped = flusher.stop()
    await settle()
    flusher.record(newId(), time.now())
    const asked = flusher.flush()
    release()
    await Promise.all([asked, stopped])
    t.match(flusher, { pendingCount: 0, stats: { flushed: 2, lost: 0, dropped: 0 } })
    t.same(store.counts, { batchRecordActivity: 2 }, 'nothing after that')
  })

  for (const fault of ['fail', 'hang'] as const) {
    t.test(`on a store that ${fault}s ends within flushTimeout and says how much is lost`, async (t) => {
      const { flusher, tracker, store, time, log } = setUp(t)
      flusher.start()
      flusher.record(newId(), time.now())
      store[fault]('batchRecordActivity')
      const running = tracker.flush()
      running.catch(() => {})
      flusher.record(newId(), time.now())
      const stopped = flusher.stop()
      await time.advance(5_000, 100)
      await stopped
      t.match(tracker.stats, { flushed: 0, lost: 2 })
      t.match(
        log.lines.filter(({ level }) => level === 'error'),
        [{ details: { lostCount: 2 } }],
      )
    })
  }

  t.test('tries again where a failure passes', async (t) => {
    const { flusher, store, time } = setUp(t)
    flusher.record(newId(), time.now())
    store.on('batchRecordActivity', async () => {
      store.off('batchRecordActivity')
      throw new Error('connection reset')
    })
    const stopped = flusher.stop()
    await time.advance(1_000, 100)
    await stopped
    t.match(flusher.stats, { flushed: 1, failedFlushes: 1, lost: 0 })
  })

  t.test('before starting does no harm, and records after it are dropped and counted', async (t) => {
    const { flusher, tracker, time } = setUp(t)
    await flusher.stop()
    tracker.recordActivity(newId(), new Date(time.now()))
    t.match(tracker, { pendingCount: 0, stats: { recorded: 0, dropped: 1 } })
  })

  t.test('breaks off a flush of many batches that outlasts it', async (t) => {
    const { flusher, store, time } = setUp(t, { maxBatchSize: 1, flushTimeout: 1_000 })
    for (let i = 0; i < 10; i++) flusher.record(newId(), time.now())
    store.on('batchRecordActivity', () => new Promise((resolve) => setTimeout(resolve, 600, 1)))
    const stopped = flusher.stop()
    await time.advance(5_000, 100)
    await stopped
    t.same(store.counts, { batchRecordActivity: 2 })
    t.match(flusher.stats, { lost: 9, flushed: 2 })
  })
})

t.test('MemoryStore implements ActivityRecorder, checked by the compiler', async (t) => {
  const store: import('../../../lib/index.js').ActivityRecorder = new MemoryStore()
  t.equal(await store.batchRecordActivity(new Map()), 0)
})
