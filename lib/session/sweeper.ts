import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SweepMessage } from '../../types/events.js'
import type { Clock, Logger } from '../../types/options.js'
import type { ExpiredSessionSweeper } from '../../types/store.js'
import { channels, eventError } from '../core/diagnostics.js'
import { type Repetition, repeat, within } from '../core/timing.js'

export interface SweeperSettings {
  readonly interval: number
  /** Milliseconds past its deadline for which a session is left alone: its last activity may be unwritten. */
  readonly grace: number
  /** Milliseconds for which the end of the app waits for a chunk. */
  readonly stopTimeout: number
}

/** Sessions deleted in one store call. */
const chunkSize = 1_000

/** Deletes expired sessions from a store that does not forget by itself. */
export class Sweeper {
  readonly #store: ExpiredSessionSweeper
  readonly #settings: SweeperSettings
  readonly #clock: Clock
  readonly #log: Logger
  #repetition: Repetition | null = null
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(store: ExpiredSessionSweeper, settings: SweeperSettings, clock: Clock, log: Logger) {
    this.#store = store
    this.#settings = settings
    this.#clock = clock
    this.#log = log
  }

  start(): void {
    this.#repetition = repeat(this.#settings.interval, () => {
      this.#running = this.#sweep()
      return this.#running
    })
  }

  /** Waits for the chunk that is being deleted, but for no longer than `stopTimeout`; never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#repetition?.stop()
    await within(this.#running, this.#settings.stopTimeout, () => new Error('still sweeping')).catch(() => {})
  }

  async #sweep(): Promise<void> {
    const before = new Date(this.#clock.now() - this.#settings.grace)
    const started = performance.now()
    let deletedCount = 0
    let failure: SweepMessage['error'] = null
    try {
      let chunk = chunkSize
      while (chunk >= chunkSize && !this.#stopped) {
        chunk = await this.#store.deleteExpiredSessions(before, chunkSize)
        deletedCount += chunk
        await nextTurn()
      }
    } catch (error) {
      failure = eventError(error)
      this.#log.warn({ err: error }, 'sweep of expired sessions failed, tried again later')
    }
    const durationMs = performance.now() - started
    channels.sweep.publish({ deletedCount, durationMs, error: failure } satisfies SweepMessage)
    if (deletedCount > 0) this.#log.debug({ deletedCount }, 'swept expired sessions')
  }
}
