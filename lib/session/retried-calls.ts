import type { SessionId } from '../../types/session.js'
import type { SessionEvents } from './events.js'

const firstDelay = 1_000
const longestDelay = 60_000
/** Calls that fail before a pass over those that wait is given up. */
const maxFailures = 3
/** Past it the oldest is given up: an outage must not fill the memory. */
const maxWaiting = 10_000

/** What the log says of calls that wait. */
export interface RetryMessages {
  readonly failed: string
  readonly givenUp: string
  readonly left: string
}

interface WaitingCall {
  readonly sessionId: SessionId
  readonly attempt: () => Promise<unknown>
}

/** Calls of the store that failed and that no request may wait for: tried again, one at a time, until it answers. */
export class RetriedCalls {
  readonly #events: SessionEvents
  readonly #messages: RetryMessages
  readonly #waiting = new Map<string, WaitingCall>()
  #timer: NodeJS.Timeout | null = null
  #delay = firstDelay
  #running: Promise<void> | null = null
  #stopped = false

  constructor(events: SessionEvents, messages: RetryMessages) {
    this.#events = events
    this.#messages = messages
  }

  /** Calls `attempt` again and again until it resolves; of calls with one key the last. */
  add(sessionId: SessionId, attempt: () => Promise<unknown>, cause: unknown, key: string = sessionId): void {
    this.#events.log.warn({ err: cause, sessionId }, this.#messages.failed)
    if (this.#stopped) {
      this.#events.log.error({ leftCount: 1, sessionIds: [sessionId] }, this.#messages.left)
      return
    }
    if (this.#waiting.size >= maxWaiting) this.#giveUpOldest()
    this.#waiting.set(key, { sessionId, attempt })
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
    if (leftCount === 0) return
    const sessionIds = Array.from(this.#waiting.values(), ({ sessionId }) => sessionId).slice(0, 20)
    this.#events.log.error({ leftCount, sessionIds }, this.#messages.left)
  }

  #giveUpOldest(): void {
    const [[key, { sessionId }]] = this.#waiting as unknown as [[string, WaitingCall]]
    this.#waiting.delete(key)
    this.#events.log.error({ sessionId, maxWaiting }, this.#messages.givenUp)
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

  /** Stops after a few failures: a store that does not answer gets no further calls to hang on. */
  async #tryAll(): Promise<void> {
    let failures = 0
    for (const [key, call] of [...this.#waiting]) {
      try {
        await call.attempt()
        this.#waiting.delete(key)
      } catch {
        // Behind all others, so that one that always fails keeps none of them from being tried.
        this.#waiting.delete(key)
        this.#waiting.set(key, call)
        if (++failures === maxFailures) break
      }
    }
    this.#delay = failures === 0 ? firstDelay : Math.min(2 * this.#delay, longestDelay)
  }
}
