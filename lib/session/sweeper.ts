import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock, Logger } from '../../types/options.js'
import type { ExpiredSessionSweeper, SessionStore } from '../../types/store.js'
import { type Repetition, repeat } from '../timing.js'
import type { StoreCalls } from './store-calls.js'

export interface SweeperSettings {
  readonly interval: number
  /** Milliseconds past its deadline for which a session is left alone: its last activity may be unwritten. */
  readonly grace: number
}

/** Sessions deleted in one store call. */
const chunkSize = 1_000

/** Deletes expired sessions from a store that does not forget by itself. */
export class Sweeper {
  readonly #calls: StoreCalls<SessionStore & ExpiredSessionSweeper>
  readonly #settings: SweeperSettings
  readonly #clock: Clock
  readonly #log: Logger
  #repetition: Repetition | null = null
  #running: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(
    calls: StoreCalls<SessionStore & ExpiredSessionSweeper>,
    settings: SweeperSettings,
    clock: Clock,
    log: Logger,
  ) {
    this.#calls = calls
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

  /** Ends after the chunk that is being deleted; never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#repetition?.stop()
    await this.#running
  }

  async #sweep(): Promise<void> {
    const before = new Date(this.#clock.now() - this.#settings.grace)
    let deletedCount = 0
    try {
      let chunk = chunkSize
      while (chunk >= chunkSize && !this.#stopped) {
        chunk = await this.#calls.run('deleteExpiredSessions', (store) =>
          store.deleteExpiredSessions(before, chunkSize),
        )
        deletedCount += chunk
        await nextTurn()
      }
    } catch (error) {
      this.#log.warn({ err: error }, 'sweep of expired sessions failed, tried again later')
    }
    if (deletedCount > 0) this.#log.debug({ deletedCount }, 'swept expired sessions')
  }
}
