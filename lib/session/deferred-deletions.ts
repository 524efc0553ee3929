import type { SessionId } from '../../types/session.js'
import type { SessionEvents } from './events.js'

const firstDelay = 1_000
const longestDelay = 60_000
/** Past it the oldest is given up: an outage must not fill the memory. */
const maxWaiting = 10_000

/** Deletions that failed and that no sign-in may wait for: tried again, one at a time, until the store answers. */
export class DeferredDeletions {
  readonly #events: SessionEvents
  readonly #waiting = new Map<SessionId, () => Promise<unknown>>()
  #timer: NodeJS.Timeout | null = null
  #delay = firstDelay
  #running: Promise<void> | null = null
  #stopped = false

  constructor(events: SessionEvents) {
    this.#events = events
  }

  /** Calls `attempt`, which deletes the session, again and again until it resolves. */
  add(id: SessionId, attempt: () => Promise<unknown>, cause: unknown): void {
    this.#events.log.warn(
      { err: cause, sessionId: id },
      'a session could not be ended, tried again until it is',
    )
    if (this.#waiting.size >= maxWaiting) this.#giveUpOldest()
    this.#waiting.set(id, attempt)
    this.#arm()
  }

  /** Tries once more what is left; never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await this.#running
    await this.#tryAll()
    const leftCount = this.#waiting.size
    if (leftCount > 0) {
      this.#events.log.error(
        { leftCount, sessionIds: [...this.#waiting.keys()].slice(0, 20) },
        'sessions left that should have ended',
      )
    }
  }

  #giveUpOldest(): void {
    const [oldest] = this.#waiting.keys()
    this.#waiting.delete(oldest as SessionId)
    this.#events.log.error(
      { sessionId: oldest, maxWaiting },
      'too many sessions wait to be ended, one given up',
    )
  }

  #arm(): void {
    if (this.#stopped || this.#timer !== null || this.#running !== null || this.#waiting.size === 0) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#running = this.#tryAll().finally(() => {
        this.#running = null
        this.#arm()
      })
    }, this.#delay)
    this.#timer.unref()
  }

  /** Stops at the first failure: a store that does not answer one gets no further calls to hang on. */
  async #tryAll(): Promise<void> {
    for (const [id, attempt] of this.#waiting) {
      try {
        await attempt()
      } catch {
        this.#delay = Math.min(2 * this.#delay, longestDelay)
        return
      }
      this.#waiting.delete(id)
    }
    this.#delay = firstDelay
  }
}
