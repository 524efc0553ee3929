import type { SessionId } from '../../types/session.js'
import type { ContextSource } from './context.js'
import type { SessionEvents } from './events.js'

/** Says that this node ended the session, so that nobody hears of it twice; `null`: all that the call concerns. */
export type ClaimEnd = (id: SessionId | null) => void

interface OwnCall {
  readonly covers: (id: SessionId) => boolean
  /** Ends that the log brought during the call, and that may be its own. */
  readonly held: Set<SessionId>
}

/**
 * Publishes the ends that the log of revocations brings, but for this node's own, which are published when their call is
 * answered. The log may be quicker than that answer, so an end that may be of a call under way waits for it.
 */
export class EndsElsewhere {
  readonly #source: ContextSource
  readonly #events: SessionEvents
  readonly #calls = new Set<OwnCall>()

  constructor(source: ContextSource, events: SessionEvents) {
    this.#source = source
    this.#events = events
  }

  ended(ids: readonly SessionId[]): void {
    for (const id of ids) {
      const call = this.#callOf(id)
      if (call === undefined) this.#publish(id)
      else call.held.add(id)
    }
  }

  unknown(): void {
    this.#events.sessionEnded({ reason: 'unknown', sessionId: null, userId: null, except: null })
  }

  /** Does work of this node that ends the sessions which `covers` names, and perhaps others. */
  async during<T>(covers: OwnCall['covers'], work: (claim: ClaimEnd) => Promise<T>): Promise<T> {
    const call: OwnCall = { covers, held: new Set() }
    this.#calls.add(call)
    try {
      return await work((id) => void (id === null ? call.held.clear() : call.held.delete(id)))
    } finally {
      this.#calls.delete(call)
      this.ended([...call.held])
    }
  }

  #callOf(id: SessionId): OwnCall | undefined {
    for (const call of this.#calls) if (call.covers(id)) return call
    return undefined
  }

  #publish(sessionId: SessionId): void {
    this.#source.context.tracking?.pending.forget(sessionId)
    this.#events.sessionEnded({ reason: 'elsewhere', sessionId, userId: null, except: null })
  }
}
