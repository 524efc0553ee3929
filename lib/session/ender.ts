import type { SessionEndReason } from '../../types/events.js'
import type { SessionId, SessionMetadata } from '../../types/session.js'
import { hasCapability, requireCapability } from '../core/capabilities.js'
import { DeferredDeletions } from './deferred-deletions.js'
import { type Runtime, storeCalls } from './runtime.js'

/** A session that is to end. */
export interface EndingSession {
  readonly id: SessionId
  readonly reason: SessionEndReason
  /** `null`: not known. */
  readonly userId: string | null
}

/** Ends sessions: in the store, in the pending activity, and for those who are told of ends. */
export class SessionEnder {
  readonly #runtime: Runtime
  readonly #deferred: DeferredDeletions

  constructor(runtime: Runtime) {
    this.#runtime = runtime
    this.#deferred = new DeferredDeletions(() => runtime.log)
  }

  /** Resolves with false if there was no such session. `userId` is whose it is, if that is known. */
  async endOne(id: SessionId, reason: SessionEndReason, userId: string | null): Promise<boolean> {
    const calls = storeCalls(this.#runtime)
    const { events, tracking } = this.#runtime
    const owner = userId ?? (events.tellsOfEnds ? await this.#ownerOf(id) : null)
    const ended = (existed: boolean): boolean => {
      tracking?.pending.forget(id)
      if (existed) events.ended({ reason, sessionId: id, userId: owner, except: null })
      return existed
    }
    let answer: Promise<boolean> | undefined
    try {
      const existed = await calls.run('deleteSession', (store) => {
        answer = store.deleteSession(id)
        return answer
      })
      return ended(existed)
    } catch (error) {
      // A deletion that lands after its time has ended the session all the same.
      answer?.then(ended).catch(() => {})
      throw error
    }
  }

  /**
   * Ends sessions that a sign-in takes the place of; never rejects. The store has confirmed the new session by now, so
   * one that it does not answer for is left to be ended later.
   */
  async endReplaced(sessions: readonly EndingSession[]): Promise<void> {
    let failure: unknown = null
    for (const { id, reason, userId } of sessions) {
      const end = (): Promise<boolean> => this.endOne(id, reason, userId)
      if (failure === null)
        failure = await end().then(
          () => null,
          (error) => error,
        )
      if (failure !== null) this.#deferred.add(id, end, failure)
    }
  }

  /** Deletes a session whose token nobody got; never rejects. */
  async undo(id: SessionId): Promise<void> {
    const end = (): Promise<boolean> =>
      storeCalls(this.#runtime).run('deleteSession', (store) => store.deleteSession(id))
    try {
      await end()
    } catch (error) {
      this.#deferred.add(id, end, error)
    }
  }

  /** `onClose`: tries once more to end what could not be ended. Never rejects. */
  async stop(): Promise<void> {
    await this.#deferred.stop()
  }

  /** Resolves how many it were. */
  async endAllOf(userId: string, except: SessionId | undefined): Promise<number> {
    const ids = await this.#idsToTellOf(userId)
    const calls = storeCalls(this.#runtime)
    const deleted = await calls.run('deleteUserSessions', (store) =>
      store.deleteUserSessions(userId, { except }),
    )
    for (const id of ids) if (id !== except) this.#tellOfEndEverywhere(id, userId, except)
    return deleted
  }

  /** Resolves how many it were. */
  async endByMetadata(pairs: SessionMetadata): Promise<number> {
    const calls = storeCalls(this.#runtime)
    const { events, tracking } = this.#runtime
    const needed = 'app.gosesh.deleteSessionsByMetadata()'
    const store = requireCapability(calls.store, 'deleteSessionsByMetadata', needed)
    const ids = await calls.run('deleteSessionsByMetadata', () => store.deleteSessionsByMetadata(pairs))
    for (const sessionId of ids) {
      tracking?.pending.forget(sessionId)
      events.ended({ reason: 'signedOut', sessionId, userId: null, except: null })
    }
    return ids.length
  }

  async endEverybodys(): Promise<number> {
    const calls = storeCalls(this.#runtime)
    const store = requireCapability(calls.store, 'deleteAllSessions', 'app.gosesh.deleteAllSessions()')
    const pending = this.#runtime.tracking?.pending
    // A session that begins while the store is at it lives on, and so does its activity.
    const ids = pending?.pendingIds() ?? []
    const deleted = await calls.runUnbounded('deleteAllSessions', () => store.deleteAllSessions())
    for (const id of ids) pending?.forget(id)
    this.#runtime.events.ended({ reason: 'all', sessionId: null, userId: null, except: null })
    return deleted
  }

  async #ownerOf(id: SessionId): Promise<string | null> {
    const session = await storeCalls(this.#runtime).run('getSession', (store) => store.getSession(id))
    return session?.userId ?? null
  }

  /** The sessions that end, each on its own if the store lists them, else one `null` for all. */
  async #idsToTellOf(userId: string): Promise<readonly (SessionId | null)[]> {
    if (!this.#runtime.events.tellsOfEnds) return []
    const calls = storeCalls(this.#runtime)
    const { store } = calls
    if (!hasCapability(store, 'listUserSessions')) return [null]
    const sessions = await calls.run('listUserSessions', () => store.listUserSessions(userId))
    return sessions.map((session) => session.id)
  }

  #tellOfEndEverywhere(sessionId: SessionId | null, userId: string, except: SessionId | undefined): void {
    this.#runtime.events.ended({
      reason: 'everywhere',
      sessionId,
      userId,
      except: sessionId === null ? (except ?? null) : null,
    })
  }
}
