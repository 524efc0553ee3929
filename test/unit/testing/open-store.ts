import type { Session, SessionId, SessionMetadata } from '../../../types/session.js'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SchemaChecker,
  SessionExtension,
  SessionLister,
  SessionStore,
} from '../../../types/store.js'

/** The later of two dates, or `null` where there was none. */
export function latest<T extends Date | null>(current: T, next: Date | null): T {
  return current !== null && next !== null && next > current ? (structuredClone(next) as T) : current
}

/** A store that keeps every rule, in parts that can be broken one at a time. */
export class OpenStore
  implements
    SessionStore,
    ActivityRecorder,
    SessionLister,
    ExpiredSessionSweeper,
    AllSessionsDeleter,
    MetadataSessionsDeleter,
    SchemaChecker
{
  readonly sessions = new Map<SessionId, Session>()

  /** The session as it is kept. */
  keep(session: Session): Session {
    return structuredClone(session)
  }

  /** A kept session as it is handed out. */
  show(session: Session): Session {
    return structuredClone(session)
  }

  owns(userId: string, session: Session): boolean {
    return session.userId === userId
  }

  isExpired(session: Session, before: Date): boolean {
    return (session.idleDeadline ?? session.absoluteDeadline) < before
  }

  idleDeadlineAt(session: Session, at: Date): Date | null {
    if (session.idleTimeout === null) return null
    return new Date(Math.min(session.absoluteDeadline.getTime(), at.getTime() + session.idleTimeout))
  }

  /** Deletes those of the sessions that match, at most `limit`. */
  remove(matches: (session: Session) => boolean, limit = Number.POSITIVE_INFINITY): number {
    const found = [...this.sessions.values()].filter(matches).slice(0, limit)
    for (const { id } of found) this.sessions.delete(id)
    return found.length
  }

  change(id: SessionId, changes: Partial<Session>): void {
    const session = this.sessions.get(id)
    if (session !== undefined) this.sessions.set(id, { ...session, ...changes })
  }

  async upsertUser(authProviderId: string): Promise<string> {
    return `user of ${authProviderId}`
  }

  async createSession(session: Session): Promise<void> {
    if (this.sessions.has(session.id)) throw new Error('exists')
    this.sessions.set(session.id, this.keep(session))
  }

  async getSession(id: SessionId): Promise<Session | null> {
    const session = this.sessions.get(id)
    return session === undefined ? null : this.show(session)
  }

  async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    const session = this.sessions.get(id)
    if (session === undefined) return false
    this.change(id, {
      lastActivityAt: latest(session.lastActivityAt, to.lastActivityAt),
      idleDeadline: latest(session.idleDeadline, to.idleDeadline),
    })
    return true
  }

  async deleteSession(id: SessionId): Promise<boolean> {
    return this.sessions.delete(id)
  }

  async deleteUserSessions(
    userId: string,
    options: { except?: SessionId | undefined } = {},
  ): Promise<number> {
    return this.remove((session) => this.owns(userId, session) && session.id !== options.except)
  }

  async batchRecordActivity(updates: ReadonlyMap<SessionId, Date>): Promise<number> {
    const moving = [...updates].filter(([id, at]) => this.moves(id, at))
    for (const [id, at] of moving) this.move(id, at)
    return moving.length
  }

  moves(id: SessionId, at: Date): boolean {
    const session = this.sessions.get(id)
    return session !== undefined && at > session.lastActivityAt
  }

  furthest(stored: Date | null, moved: Date | null): Date | null {
    return stored !== null && moved !== null && stored > moved ? stored : moved
  }

  move(id: SessionId, at: Date): void {
    const session = this.sessions.get(id)
    if (session === undefined) return
    const idleDeadline = this.furthest(session.idleDeadline, this.idleDeadlineAt(session, at))
    this.change(id, { lastActivityAt: new Date(at), idleDeadline })
  }

  async listUserSessions(userId: string): Promise<Session[]> {
    return [...this.sessions.values()]
      .filter((session) => this.owns(userId, session))
      .map((session) => this.show(session))
  }

  async checkSchema(): Promise<void> {}

  async deleteExpiredSessions(before: Date, limit: number): Promise<number> {
    return this.remove((session) => this.isExpired(session, before), limit)
  }

  async deleteAllSessions(): Promise<number> {
    return this.remove(() => true)
  }

  /** Whether the session holds the pairs, of which there is one at least. */
  holds({ metadata }: Session, pairs: SessionMetadata): boolean {
    return Object.entries(pairs).every(([key, value]) => metadata !== null && metadata[key] === value)
  }

  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
    if (Object.keys(pairs).length === 0) return []
    const found = [...this.sessions.values()].filter((session) => this.holds(session, pairs))
    for (const { id } of found) this.sessions.delete(id)
    return found.map(({ id }) => id)
  }
}
