import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SchemaChecker,
  SessionChanges,
  SessionExtension,
  SessionLister,
  SessionRecord,
  SessionStore,
  SessionUpdater,
  UserDeleter,
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
    SchemaChecker,
    SessionUpdater,
    UserDeleter
{
  readonly sessions = new Map<SessionId, SessionRecord>()
  readonly users = new Set<string>()

  /** The session as it is kept. */
  keep(session: SessionRecord): SessionRecord {
    return structuredClone(session)
  }

  /** A kept session as it is handed out. */
  show(session: SessionRecord): SessionRecord {
    return structuredClone(session)
  }

  owns(userId: string, session: SessionRecord): boolean {
    return session.userId === userId
  }

  isExpired(session: SessionRecord, before: Date): boolean {
    return (session.idleDeadline ?? session.absoluteDeadline) < before
  }

  idleDeadlineAt(session: SessionRecord, at: Date): Date | null {
    if (session.idleTimeout === null) return null
    return new Date(Math.min(session.absoluteDeadline.getTime(), at.getTime() + session.idleTimeout))
  }

  /** Deletes those of the sessions that match, at most `limit`. */
  remove(matches: (session: SessionRecord) => boolean, limit = Number.POSITIVE_INFINITY): number {
    const found = [...this.sessions.values()].filter(matches).slice(0, limit)
    for (const { id } of found) this.sessions.delete(id)
    return found.length
  }

  change(id: SessionId, changes: Partial<SessionRecord>): void {
    const session = this.sessions.get(id)
    if (session !== undefined) this.sessions.set(id, { ...session, ...changes })
  }

  async upsertUser(authProviderId: string): Promise<string> {
    const userId = `user of ${authProviderId}`
    this.users.add(userId)
    return userId
  }

  async createSession(session: SessionRecord): Promise<void> {
    if (this.sessions.has(session.id)) throw new Error('exists')
    this.sessions.set(session.id, this.keep(session))
  }

  async getSession(id: SessionId): Promise<SessionRecord | null> {
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

  async updateSession(
    id: SessionId,
    version: number,
    changes: SessionChanges,
  ): Promise<'updated' | 'conflict' | 'absent'> {
    const session = this.sessions.get(id)
    if (session === undefined) return 'absent'
    if (!this.accepts(session, version)) return 'conflict'
    this.sessions.set(id, this.changed(session, changes))
    return 'updated'
  }

  accepts(session: SessionRecord, version: number): boolean {
    return session.version === version
  }

  /** The session after the changes. */
  changed(session: SessionRecord, changes: SessionChanges): SessionRecord {
    const given = Object.entries(changes).filter(([, value]) => value !== undefined)
    const absoluteDeadline = latest(session.absoluteDeadline, changes.absoluteDeadline ?? null)
    const idleDeadline = latest(session.idleDeadline, changes.idleDeadline ?? null)
    return {
      ...session,
      ...structuredClone(Object.fromEntries(given)),
      version: session.version + 1,
      absoluteDeadline,
      idleDeadline:
        idleDeadline !== null && idleDeadline > absoluteDeadline ? absoluteDeadline : idleDeadline,
    }
  }

  async deleteUser(userId: string): Promise<boolean> {
    return this.users.delete(userId)
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

  async listUserSessions(userId: string): Promise<SessionRecord[]> {
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
  holds({ metadata }: SessionRecord, pairs: SessionMetadata): boolean {
    return Object.entries(pairs).every(([key, value]) => metadata !== null && metadata[key] === value)
  }

  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
    if (Object.keys(pairs).length === 0) return []
    const found = [...this.sessions.values()].filter((session) => this.holds(session, pairs))
    for (const { id } of found) this.sessions.delete(id)
    return found.map(({ id }) => id)
  }
}
