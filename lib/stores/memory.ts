import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Session, SessionId, SessionMetadata } from '../../types/session.js'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  ExpiredSessionSweeper,
  SessionExtension,
  SessionLister,
  SessionStore,
} from '../../types/store.js'
import { checkCount, checkObject } from '../check.js'
import { GoseshError } from '../errors.js'
import { userIdOf } from '../user-id.js'

export interface MemoryStoreOptions {
  /** Sessions kept at most; past it `createSession` rejects with `GOSESH_ERR_STORE_FULL`. Default: 1,000,000. */
  readonly maxSessions?: number | undefined
}

/** A session as it is kept: times as numbers, so that nothing handed out can change it. */
interface StoredSession {
  readonly userId: string
  readonly createdAt: number
  readonly idleTimeout: number | null
  readonly absoluteDeadline: number
  readonly metadata: SessionMetadata | null
  lastActivityAt: number
  idleDeadline: number | null
}

/** Sessions looked at in one turn of the event loop by a sweep. */
const sweepStride = 10_000

function toSession(id: SessionId, stored: StoredSession): Session {
  return {
    id,
    userId: stored.userId,
    createdAt: new Date(stored.createdAt),
    lastActivityAt: new Date(stored.lastActivityAt),
    idleTimeout: stored.idleTimeout,
    idleDeadline: stored.idleDeadline === null ? null : new Date(stored.idleDeadline),
    absoluteDeadline: new Date(stored.absoluteDeadline),
    metadata: stored.metadata,
  }
}

function deadlineOf(stored: StoredSession): number {
  return Math.min(stored.idleDeadline ?? Number.POSITIVE_INFINITY, stored.absoluteDeadline)
}

/** Sessions in this process's memory: for one process, for development and for tests. They end with the process. */
export class MemoryStore
  implements SessionStore, ActivityRecorder, SessionLister, ExpiredSessionSweeper, AllSessionsDeleter
{
  readonly #maxSessions: number
  readonly #sessions = new Map<SessionId, StoredSession>()
  readonly #idsByUser = new Map<string, Set<SessionId>>()
  /** Where a sweep that is not done goes on; `null` otherwise, as it keeps what it iterates over in memory. */
  #sweepCursor: Iterator<[SessionId, StoredSession]> | null = null

  /** Throws `GOSESH_ERR_OPTION` on a wrong option. */
  constructor(options: MemoryStoreOptions = {}) {
    const { maxSessions } = checkObject('MemoryStore', options, ['maxSessions'])
    this.#maxSessions = checkCount('maxSessions', maxSessions ?? 1_000_000)
  }

  async upsertUser(authProviderId: string): Promise<string> {
    return userIdOf(authProviderId)
  }

  /** Rejects with `GOSESH_ERR_SESSION_EXISTS`, and past `maxSessions` with `GOSESH_ERR_STORE_FULL`. */
  async createSession(session: Session): Promise<void> {
    if (this.#sessions.has(session.id)) throw new GoseshError('GOSESH_ERR_SESSION_EXISTS')
    if (this.#sessions.size >= this.#maxSessions) throw new GoseshError('GOSESH_ERR_STORE_FULL')
    this.#sessions.set(session.id, {
      userId: session.userId,
      createdAt: session.createdAt.getTime(),
      idleTimeout: session.idleTimeout,
      absoluteDeadline: session.absoluteDeadline.getTime(),
      metadata: session.metadata === null ? null : Object.freeze({ ...session.metadata }),
      lastActivityAt: session.lastActivityAt.getTime(),
      idleDeadline: session.idleDeadline?.getTime() ?? null,
    })
    const ids = this.#idsByUser.get(session.userId)
    if (ids === undefined) this.#idsByUser.set(session.userId, new Set([session.id]))
    else ids.add(session.id)
  }

  async getSession(id: SessionId): Promise<Session | null> {
    const stored = this.#sessions.get(id)
    return stored === undefined ? null : toSession(id, stored)
  }

  async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    const stored = this.#sessions.get(id)
    if (stored === undefined) return false
    stored.lastActivityAt = Math.max(stored.lastActivityAt, to.lastActivityAt.getTime())
    if (stored.idleDeadline !== null && to.idleDeadline !== null) {
      stored.idleDeadline = Math.max(stored.idleDeadline, to.idleDeadline.getTime())
    }
    return true
  }

  async deleteSession(id: SessionId): Promise<boolean> {
    return this.#delete(id)
  }

  async deleteUserSessions(
    userId: string,
    options: { except?: SessionId | undefined } = {},
  ): Promise<number> {
    let deleted = 0
    for (const id of this.#idsByUser.get(userId) ?? []) {
      if (id !== options.except && this.#delete(id)) deleted++
    }
    return deleted
  }

  async batchRecordActivity(updates: ReadonlyMap<SessionId, Date>): Promise<number> {
    let moved = 0
    for (const [id, date] of updates) {
      const stored = this.#sessions.get(id)
      const at = date.getTime()
      if (stored === undefined || at <= stored.lastActivityAt) continue
      stored.lastActivityAt = at
      if (stored.idleTimeout !== null) {
        const idleDeadline = Math.min(stored.absoluteDeadline, at + stored.idleTimeout)
        stored.idleDeadline = Math.max(Number(stored.idleDeadline), idleDeadline)
      }
      moved++
    }
    return moved
  }

  async listUserSessions(userId: string): Promise<Session[]> {
    const sessions: Session[] = []
    for (const id of this.#idsByUser.get(userId) ?? []) {
      const stored = this.#sessions.get(id)
      if (stored !== undefined) sessions.push(toSession(id, stored))
    }
    return sessions
  }

  async deleteExpiredSessions(before: Date, limit: number): Promise<number> {
    let deleted = 0
    // Every session is looked at once, from where the last call ended: chunks do not begin at the first one again.
    for (let left = this.#sessions.size; left > 0 && deleted < limit; left--) {
      const next = this.#nextToSweep()
      if (next === null) break
      const [id, stored] = next
      if (deadlineOf(stored) < before.getTime() && this.#delete(id)) deleted++
      if (left % sweepStride === 0) await nextTurn()
    }
    if (deleted < limit) this.#sweepCursor = null
    return deleted
  }

  #nextToSweep(): [SessionId, StoredSession] | null {
    this.#sweepCursor ??= this.#sessions.entries()
    const next = this.#sweepCursor.next()
    if (!next.done) return next.value
    this.#sweepCursor = this.#sessions.entries()
    return this.#sweepCursor.next().value ?? null
  }

  async deleteAllSessions(): Promise<number> {
    const deleted = this.#sessions.size
    this.#sessions.clear()
    this.#idsByUser.clear()
    return deleted
  }

  #delete(id: SessionId): boolean {
    const stored = this.#sessions.get(id)
    if (stored === undefined) return false
    this.#sessions.delete(id)
    const ids = this.#idsByUser.get(stored.userId)
    ids?.delete(id)
    if (ids?.size === 0) this.#idsByUser.delete(stored.userId)
    return true
  }
}
