import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ActivityStats, ActivityTracker } from '../../types/activity.js'
import type { FlushMessage } from '../../types/events.js'
import type { Clock, Logger } from '../../types/options.js'
import type { SessionId } from '../../types/session.js'
import type { ActivityRecorder } from '../../types/store.js'
import { channels } from '../core/diagnostics.js'
import { FlushError, GoseshError } from '../core/errors.js'
import type { PendingActivity } from '../core/pending-activity.js'
import { delay, type Repetition, repeat, within } from '../core/timing.js'
import { isSessionId } from '../core/token.js'
import { ActivityBuffer } from './buffer.js'

export interface TrackerSettings {
  readonly flushInterval: number
  readonly flushTimeout: number
  readonly maxBatchSize: number
  readonly maxPending: number
  readonly onFlushError: (error: FlushError) => void
}

/** Taken once: calling it is how to tell a `Date` of any realm from what only looks like one. */
const { getTime } = Date.prototype

/** The milliseconds of a `Date`; `NaN` for an invalid one and for anything else. */
function timeOf(at: unknown): number {
  try {
    return getTime.call(at)
  } catch {
    return Number.NaN
  }
}

/** How often the last flush is tried, within `flushTimeout`. */
const lastTries = 3

class LateFlush extends Error {}

/** Gathers activity in memory and writes it to the store in batches; the plugin starts and stops it. */
export class ActivityFlusher implements PendingActivity {
  readonly #recorder: ActivityRecorder
  readonly #settings: TrackerSettings
  readonly #clock: Clock
  readonly #log: Logger
  readonly #buffer: ActivityBuffer
  readonly #stats = { recorded: 0, flushed: 0, dropped: 0, failedFlushes: 0, lost: 0 }
  #droppedAtLastFlush = 0
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null
  #repetition: Repetition | null = null
  #closed = false

  constructor(recorder: ActivityRecorder, settings: TrackerSettings, clock: Clock, log: Logger) {
    this.#recorder = recorder
    this.#settings = settings
    this.#clock = clock
    this.#log = log
    this.#buffer = new ActivityBuffer(settings.maxPending, clock.now())
  }

  get pendingCount(): number {
    return this.#buffer.size
  }

  get stats(): ActivityStats {
    return { ...this.#stats }
  }

  record(id: SessionId, at: number): void {
    if (!this.#closed && this.#buffer.record(id, at)) this.#stats.recorded++
    else this.#stats.dropped++
  }

  recordActivity(id: SessionId, at: Date): void {
    const time = this.#past(at)
    // An id that waits already was checked when it came.
    if (!this.#closed && this.#buffer.move(id, time)) {
      this.#stats.recorded++
      return
    }
    if (!isSessionId(id)) throw new GoseshError('GOSESH_ERR_SESSION_ID')
    this.record(id, time)
  }

  /** The milliseconds of the date, but never in the future. The clock may step back, so it is asked each time. */
  #past(at: Date): number {
    const time = timeOf(at)
    if (Number.isNaN(time)) throw new GoseshError('GOSESH_ERR_ACTIVITY_TIME')
    return Math.min(time, this.#clock.now())
  }

  latest(id: SessionId): number | undefined {
    return this.#buffer.latest(id)
  }

  forget(id: SessionId): void {
    this.#buffer.forget(id)
  }

  pendingIds(): SessionId[] {
    return this.#buffer.ids()
  }

  start(): void {
    this.#repetition = repeat(this.#settings.flushInterval, () => this.flush().catch(() => {}))
  }

  /** Writes all that was recorded before the call; callers that come during a flush share the one after it. */
  flush(): Promise<void> {
    if (this.#running === null) return this.#run()
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null
        // Another caller may have begun one as soon as the last one ended; it writes all that this one would.
        return this.#running ?? this.#run()
      })
    return this.#next
  }

  /** Ends the running flush and writes what is left, within `flushTimeout`; never rejects. */
  async stop(): Promise<void> {
    this.#repetition?.stop()
    let cause: unknown
    try {
      await within(this.#writeRest(), this.#settings.flushTimeout, () => this.#late())
    } catch (error) {
      cause = error
    }
    this.#closed = true
    const lost = this.#buffer.size
    if (lost === 0) return
    this.#stats.lost += lost
    this.#log.error({ err: cause, lostCount: lost }, 'session activity lost at shutdown')
  }

  /** What is recorded during the last flush is left too. */
  async #writeRest(): Promise<void> {
    do await this.#flushPersistently()
    while (this.pendingCount > 0 && !this.#closed)
  }

  /** A failure that passes, such as a connection that was reset, must not cost what is left. */
  async #flushPersistently(): Promise<void> {
    for (let tries = lastTries; tries > 1 && !this.#closed; tries--) {
      try {
        return await this.flush()
      } catch {
        await delay(this.#settings.flushTimeout / 10)
      }
    }
    return await this.flush()
  }

  #late(): Error {
    return new LateFlush(`no answer in ${this.#settings.flushTimeout} ms`)
  }

  #run(): Promise<void> {
    let begin!: (written: Promise<void>) => void
    const running = new Promise<void>((resolve) => {
      begin = resolve
    }).finally(() => {
      this.#running = null
    })
    // Set before the store is called: if that calls `flush` in turn, it must find this one running.
    this.#running = running
    begin(this.#writeAll())
    return running
  }

  async #writeAll(): Promise<void> {
    this.#warnOfDrops()
    const started = performance.now()
    let failure: FlushError | null = null
    const batches = batchesOf(this.#buffer.take(), this.#buffer.since, this.#settings.maxBatchSize)
    try {
      for (let batch = batches.next(); !batch.done; ) {
        // The next batch is made while the store writes this one, in a turn of its own.
        const made = nextTurn().then(() => batches.next())
        const [error, next] = await Promise.all([this.#write(batch.value), made])
        failure ??= error
        // A store that does not answer gets no further calls to hang on before the next flush.
        if (this.#closed || error?.cause instanceof LateFlush) break
        batch = next
        await nextTurn()
      }
    } finally {
      this.#buffer.finish()
    }
    this.#warnOfSlowness(performance.now() - started)
    if (failure !== null) throw failure
  }

  async #write(batch: ReadonlyMap<SessionId, Date>): Promise<FlushError | null> {
    const started = performance.now()
    const batchSize = batch.size
    try {
      const call = this.#recorder.batchRecordActivity(batch)
      const updatedCount = await within(call, this.#settings.flushTimeout, () => this.#late())
      this.#buffer.written(batch.keys())
      this.#stats.flushed += batchSize
      const durationMs = performance.now() - started
      channels.flush.publish({ batchSize, updatedCount, durationMs, error: null } satisfies FlushMessage)
      this.#log.debug(
        { updatedCount, batchSize, durationMs: Math.round(durationMs) },
        'flushed activity batch',
      )
      return null
    } catch (cause) {
      return this.#report(new FlushError(batchSize, cause), performance.now() - started)
    }
  }

  #report(error: FlushError, durationMs: number): FlushError {
    const { batchSize } = error
    channels.flush.publish({ batchSize, updatedCount: 0, durationMs, error } satisfies FlushMessage)
    this.#stats.failedFlushes++
    this.#log.warn({ err: error, batchSize }, 'activity batch failed, kept for the next flush')
    void this.#tellApplication(error)
    return error
  }

  async #tellApplication(error: FlushError): Promise<void> {
    try {
      await this.#settings.onFlushError(error)
    } catch (thrown) {
      this.#log.error({ err: thrown }, 'onFlushError threw')
    }
  }

  #warnOfDrops(): void {
    const { dropped } = this.#stats
    const droppedCount = dropped - this.#droppedAtLastFlush
    this.#droppedAtLastFlush = dropped
    if (droppedCount === 0) return
    const { maxPending } = this.#settings
    this.#log.warn({ droppedCount, maxPending }, 'activity dropped: more sessions pending than maxPending')
  }

  #warnOfSlowness(ms: number): void {
    const { flushInterval } = this.#settings
    if (ms <= flushInterval) return
    this.#log.warn(
      { durationMs: Math.round(ms), flushInterval },
      'activity flush took longer than flushInterval',
    )
  }
}

/** The pending sessions in batches for the store, each made when it is asked for. */
function* batchesOf(
  taken: ReadonlyMap<SessionId, number>,
  since: number,
  size: number,
): Generator<ReadonlyMap<SessionId, Date>, void, void> {
  let batch = new Map<SessionId, Date>()
  for (const [id, pending] of taken) {
    batch.set(id, new Date(since + pending))
    if (batch.size < size) continue
    yield batch
    batch = new Map()
  }
  if (batch.size > 0) yield batch
}

/** What the application gets of the tracker: it can record, flush and count, and reaches nothing else. */
export class PublicTracker implements ActivityTracker {
  readonly #flusher: ActivityFlusher

  constructor(flusher: ActivityFlusher) {
    this.#flusher = flusher
    Object.freeze(this)
  }

  recordActivity(id: SessionId, at: Date): void {
    this.#flusher.recordActivity(id, at)
  }

  flush(): Promise<void> {
    return this.#flusher.flush()
  }

  get pendingCount(): number {
    return this.#flusher.pendingCount
  }

  get stats(): ActivityStats {
    return this.#flusher.stats
  }
}
