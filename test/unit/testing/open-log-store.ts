import { randomUUID } from 'node:crypto'
import type { Revocation, RevocationLog, Revocations } from '../../../types/revocation-log.js'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { SessionChanges, SessionRecord } from '../../../types/store.js'
import { OpenStore } from './open-store.js'

/** A log of revocations that keeps every rule, in parts that can be broken one at a time. */
export class OpenLogStore extends OpenStore implements RevocationLog {
  readonly name = randomUUID()
  log: Revocation[] = []

  isLogged(session: SessionRecord): boolean {
    return session.userId !== null
  }

  record(sessions: readonly SessionRecord[], ended: boolean): void {
    const logged = sessions.filter((session) => this.isLogged(session))
    this.log.push(...logged.map(({ id }) => ({ id, ended })))
  }

  /** Logs what ends in the course of the work. */
  async watch<T>(work: () => Promise<T>): Promise<T> {
    const before = [...this.sessions.values()]
    const result = await work()
    this.record(
      before.filter(({ id }) => !this.sessions.has(id)),
      true,
    )
    return result
  }

  override async deleteSession(id: SessionId): Promise<boolean> {
    const session = this.sessions.get(id)
    if (session === undefined) return false
    this.sessions.delete(id)
    this.record([session], true)
    return true
  }

  override async deleteUserSessions(
    userId: string,
    options: { except?: SessionId | undefined } = {},
  ): Promise<number> {
    const gone = [...this.sessions.values()].filter(
      (session) => this.owns(userId, session) && session.id !== options.except,
    )
    for (const { id } of gone) this.sessions.delete(id)
    this.record(gone, true)
    return gone.length
  }

  override deleteAllSessions(): Promise<number> {
    return this.watch(() => super.deleteAllSessions())
  }

  override deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
    return this.watch(() => super.deleteSessionsByMetadata(pairs))
  }

  override async updateSession(
    id: SessionId,
    version: number,
    changes: SessionChanges,
  ): Promise<'updated' | 'conflict' | 'absent'> {
    const session = this.sessions.get(id)
    const updating = super.updateSession(id, version, changes)
    if (session !== undefined && this.sessions.get(id) !== session) this.record([session], this.isEnd())
    return await updating
  }

  /** Whether a change is logged as an end. */
  isEnd(): boolean {
    return false
  }

  cursorAt(place: number): string {
    return `${this.name} ${place}`
  }

  /** How much the cursor has seen; `null` for one that is not known. */
  placeOf(cursor: string): number | null {
    const [name, place, ...rest] = cursor.split(' ')
    const isKnown = name === this.name && /^\d+$/.test(place ?? '') && rest.length === 0
    return isKnown && Number(place) <= this.log.length ? Number(place) : null
  }

  async readRevocations(cursor: string | null): Promise<Revocations> {
    const place = cursor === null ? this.log.length : this.placeOf(cursor)
    return {
      cursor: this.cursorAt(this.log.length),
      entries: place === null ? null : this.log.slice(place),
    }
  }
}
