import type { SessionEndReason } from '../../types/events.js'
import type { SessionId, SessionMetadata } from '../../types/session.js'
import { hasCapability, requireCapability } from '../core/capabilities.js'
import { answerTo } from './bounded-store.js'
import type { ContextSource } from './context.js'
import type { ClaimEnd, EndsElsewhere } from './ends-elsewhere.js'
import type { SessionEvents } from './events.js'
import { RetriedCalls } from './retried-calls.js'

const messages = {
  failed: 'a session could not be ended, tried again until it is',
  givenUp: 'too many sessions wait to be ended, one given up',
  left: 'sessions left that should have ended',
}

/** A session that is to be deleted. */
export interface SessionDeletion {
  readonly id: SessionId
  readonly reason: SessionEndReason
  /** The user of the session; `null` if that is not known. */
  readonly userId: string | null
}

/** Deletes sessions from the store, together with their pending activity, and publishes that they ended. */
export class SessionDeleter {
  readonly #source: ContextSource
  readonly #events: SessionEvents
  readonly #elsewhere: EndsElsewhere | null
  readonly #retried: RetriedCalls

  /** `elsewhere`: `null` if nobody hears of what other nodes end. */
  constructor(source: ContextSource, events: SessionEvents, elsewhere: EndsElsewhere | null) {
    this.#source = source
    this.#events = events
    this.#elsewhere = elsewhere
    this.#retried = new RetriedCalls(events, messages)
  }

  /** Resolves with false if there was no such session. */
  async delete({ id, reason, userId }: SessionDeletion): Promise<boolean> {
    const { store, tracking } = this.#source.context
    const owner = userId ?? (this.#events.hasEndListeners ? await this.#ownerOf(id) : null)
    const settle = (existed: boolean, claim?: ClaimEnd): boolean => {
      tracking?.pending.forget(id)
      if (!existed) return false
      claim?.(id)
      this.#events.sessionEnded({ reason, sessionId: id, userId: owner, except: null })
      return true
    }
    return await this.#ending(isOneOf([id]), async (claim) => {
      try {
        return settle(await store.deleteSession(id), claim)
      } catch (error) {
        // A deletion that lands after its time has ended the session all the same.
        answerTo(error)?.then(
          (existed) => settle(Boolean(existed)),
          () => {},
        )
        throw error
      }
    })
  }

  /**
   * Deletes sessions that a sign-in leaves behind; never rejects. The client has its new session by now, so a deletion
   * that fails is tried again later.
   */
  async deleteForCertain(deletions: readonly SessionDeletion[]): Promise<void> {
    let failure: unknown = null
    for (const deletion of deletions) {
      const attempt = (): Promise<boolean> => this.delete(deletion)
      if (failure === null) {
        failure = await attempt().then(
          () => null,
          (error) => error,
        )
      }
      if (failure !== null) this.#retried.add(deletion.id, attempt, failure)
    }
  }

  /**
   * Deletes what never was a session to anybody, so nobody hears of its end: one whose token was never delivered, or a visitor.
   * Never rejects.
   */
  async deleteQuietly(id: SessionId): Promise<void> {
    const attempt = (): Promise<void> =>
      this.#ending(isOneOf([id]), async (claim) => {
        await this.#source.context.store.deleteSession(id)
        claim(id)
      })
    try {
      await attempt()
    } catch (error) {
      this.#retried.add(id, attempt, error)
    }
  }

  /** Resolves with the number of sessions deleted. */
  async deleteUserSessions(userId: string, except: SessionId | undefined): Promise<number> {
    const { store } = this.#source.context
    const ids = await this.#idsOf(userId)
    return await this.#ending(isOneOf(ids), async (claim) => {
      const deleted = await store.deleteUserSessions(userId, { except })
      for (const sessionId of ids) {
        if (sessionId === except) continue
        const kept = sessionId === null ? (except ?? null) : null
        claim(sessionId)
        this.#events.sessionEnded({ reason: 'everywhere', sessionId, userId, except: kept })
      }
      return deleted
    })
  }

  /** Deletes the user's sessions, then the user. Resolves with true if there was either. */
  async deleteUser(userId: string): Promise<boolean> {
    const store = requireCapability(this.#source.context.store, 'deleteUser', 'app.gosesh.deleteUser()')
    const deletedCount = await this.deleteUserSessions(userId, undefined)
    return (await store.deleteUser(userId)) || deletedCount > 0
  }

  /** Resolves with the number of sessions deleted. */
  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<number> {
    const { store, tracking } = this.#source.context
    const needed = 'app.gosesh.deleteSessionsByMetadata()'
    const deleter = requireCapability(store, 'deleteSessionsByMetadata', needed)
    return await this.#ending(isAny, async (claim) => {
      const ids = await deleter.deleteSessionsByMetadata(pairs)
      for (const sessionId of ids) {
        tracking?.pending.forget(sessionId)
        claim(sessionId)
        this.#events.sessionEnded({ reason: 'signedOut', sessionId, userId: null, except: null })
      }
      return ids.length
    })
  }

  /** Resolves with the number of sessions deleted. */
  async deleteAllSessions(): Promise<number> {
    const { store, tracking } = this.#source.context
    const deleter = requireCapability(store, 'deleteAllSessions', 'app.gosesh.deleteAllSessions()')
    // A session that is created meanwhile lives on, and so does its activity.
    const ids = tracking?.pending.pendingIds() ?? []
    return await this.#ending(isAny, async (claim) => {
      const deleted = await deleter.deleteAllSessions()
      for (const id of ids) tracking?.pending.forget(id)
      claim(null)
      this.#events.sessionEnded({ reason: 'all', sessionId: null, userId: null, except: null })
      return deleted
    })
  }

  /** `onClose`: tries once more to delete what could not be deleted. Never rejects. */
  async stop(): Promise<void> {
    await this.#retried.stop()
  }

  /** Does what ends these sessions, and perhaps others; it claims those that it has ended. */
  #ending<T>(covers: (id: SessionId) => boolean, work: (claim: ClaimEnd) => Promise<T>): Promise<T> {
    return this.#elsewhere === null ? work(() => {}) : this.#elsewhere.during(covers, work)
  }

  async #ownerOf(id: SessionId): Promise<string | null> {
    const session = await this.#source.context.store.getSession(id)
    return session?.userId ?? null
  }

  /** The sessions whose end is to be published: each by its id if the store lists them, else one `null` for all. */
  async #idsOf(userId: string): Promise<readonly (SessionId | null)[]> {
    if (!this.#events.hasEndListeners) return []
    const { store } = this.#source.context
    if (!hasCapability(store, 'listUserSessions')) return [null]
    const sessions = await store.listUserSessions(userId)
    return sessions.map((session) => session.id)
  }
}

/** True for these; a `null` among them means that nobody knows which they are. */
function isOneOf(ids: readonly (SessionId | null)[]): (id: SessionId) => boolean {
  const known = new Set(ids)
  return (id) => known.has(id) || known.has(null)
}

function isAny(): boolean {
  return true
}
