import t from 'tap'
import { ActivityFlusher, PublicTracker } from '../../../lib/activity/flusher.js'
import { MemoryStore, type SessionId } from '../../../lib/index.js'
import { settle } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'
import { newId, setUp } from './tracker-fixtures.js'

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

t.test('MemoryStore implements ActivityRecorder, checked by the compiler', async (t) => {
  const store: import('../../../lib/index.js').ActivityRecorder = new MemoryStore()
  t.equal(await store.batchRecordActivity(new Map()), 0)
})
