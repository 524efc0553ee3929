import t from 'tap'
import { settle } from '../../tools/clock.js'
import { newId, setUp } from './tracker-fixtures.js'

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
