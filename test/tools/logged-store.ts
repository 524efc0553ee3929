import type {
  RevocationLog,
  Revocations,
  SessionChanges,
  SessionId,
  SessionMetadata,
} from '../../lib/index.js'
import { WatchedStore } from './store.js'

/** A memory store that several apps may share as if it were a server, with a log of revocations. */
export class LoggedStore extends WatchedStore implements RevocationLog {
  readonly log: { id: SessionId; ended: boolean }[] = []
  /** Counts the losses of the log. */
  #generation = 0
  /** Called before the log is read, and with what is read from it. */
  beforePoll: () => Promise<void> | void = () => {}
  afterPoll: () => Promise<void> | void = () => {}
  polls = 0

  async readRevocations(cursor: string | null): Promise<Revocations> {
    this.polls++
    await this.beforePoll()
    const [generation, position] = (cursor ?? `${this.#generation}:${this.log.length}`).split(':').map(Number)
    const entries = generation === this.#generation ? this.log.slice(position) : null
    const answer = { cursor: `${this.#generation}:${this.log.length}`, entries }
    await this.afterPoll()
    return answer
  }

  /** As if the server had lost what it knew of the log. */
  forgetLog(): void {
    this.log.length = 0
    this.#generation++
  }

  override async deleteSession(id: SessionId): Promise<boolean> {
    const stored = super.getSession(id)
    const existed = await super.deleteSession(id)
    if (existed && stored?.userId !== null) this.log.push({ id, ended: true })
    return existed
  }

  override async deleteUserSessions(
    userId: string,
    options?: { readonly except?: SessionId | undefined },
  ): Promise<number> {
    const ids = (await super.listUserSessions(userId)).map(({ id }) => id)
    const deleted = await super.deleteUserSessions(userId, options)
    for (const id of ids) if (id !== options?.except) this.log.push({ id, ended: true })
    return deleted
  }

  override async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
    const ids = await super.deleteSessionsByMetadata(pairs)
    for (const id of ids) this.log.push({ id, ended: true })
    return ids
  }

  override async deleteAllSessions(): Promise<number> {
    const deleted = await super.deleteAllSessions()
    this.forgetLog()
    return deleted
  }

  override async updateSession(
    id: SessionId,
    version: number,
    changes: SessionChanges,
  ): Promise<'updated' | 'conflict' | 'absent'> {
    const result = await super.updateSession(id, version, changes)
    if (result === 'updated') this.log.push({ id, ended: false })
    return result
  }
}
