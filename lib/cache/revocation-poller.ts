import type { Logger } from '../../types/options.js'
import type { RevocationLog } from '../../types/revocation-log.js'
import type { SessionId } from '../../types/session.js'
import { type Repetition, repeat } from '../core/timing.js'
import type { SessionCache } from './session-cache.js'

/** Hears of what happened to sessions, on any node. */
export interface RevocationListener {
  /** Sessions of which it was not known that they ended. */
  ended(ids: readonly SessionId[]): void
  /** The log cannot tell: any session may have ended. */
  unknown(): void
}

/** Asks the log again and again, and applies what it says to the cache, in its order: one poll at a time. */
export class RevocationPoller {
  readonly #log: RevocationLog
  readonly #interval: number
  readonly #cache: SessionCache
  readonly #listener: RevocationListener
  readonly #logger: Logger
  #cursor: string | null = null
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null
  #failing = false
  #repetition: Repetition | null = null

  /** `interval`: milliseconds from one poll to the next, at most. */
  constructor(
    log: RevocationLog,
    interval: number,
    cache: SessionCache,
    listener: RevocationListener,
    logger: Logger,
  ) {
    this.#log = log
    this.#interval = interval
    this.#cache = cache
    this.#listener = listener
    this.#logger = logger
  }

  /** Polls from now on, the first time at once, which it waits for. A log that fails is only warned of. */
  async start(): Promise<void> {
    const poll = (): Promise<void> => this.poll().catch(() => {})
    this.#repetition = repeat(this.#interval, poll)
    await poll()
  }

  stop(): void {
    this.#repetition?.stop()
  }

  /** Applies all that was acknowledged before the call; callers that come during a poll share the one after it. */
  poll(): Promise<void> {
    if (this.#running === null) return this.#run()
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null
        // Another caller may have begun one as soon as the last one ended; it began after this call.
        return this.#running ?? this.#run()
      })
    return this.#next
  }

  #run(): Promise<void> {
    this.#running = this.#poll().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #poll(): Promise<void> {
    // Before the log is asked: what it does not answer may have happened at any time from here on.
    const began = this.#cache.now()
    try {
      const { cursor, entries } = await this.#log.readRevocations(this.#cursor)
      const isFirst = this.#cursor === null
      // Nothing is known of the time before the first cursor.
      const ended = this.#cache.apply(isFirst ? null : entries, began)
      this.#cursor = cursor
      if (ended.length > 0) this.#listener.ended(ended)
      if (entries === null && !isFirst) this.#reportUnknown()
      this.#recovered()
    } catch (error) {
      this.#failed(error)
      throw error
    }
  }

  #reportUnknown(): void {
    this.#logger.warn(
      {},
      'the log of revocations cannot tell what has ended: no session is served from memory until it is read again',
    )
    this.#listener.unknown()
  }

  #failed(error: unknown): void {
    if (!this.#failing)
      this.#logger.warn({ err: error }, 'the log of revocations cannot be read: requests read the store')
    this.#failing = true
  }

  #recovered(): void {
    if (this.#failing) this.#logger.info({}, 'the log of revocations can be read again')
    this.#failing = false
  }
}
