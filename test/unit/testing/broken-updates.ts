import { setImmediate as nextTurn } from 'node:timers/promises'
import { newSession } from '../../../lib/testing/fixtures.js'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { SessionChanges, SessionRecord } from '../../../types/store.js'
import type { BrokenStores } from './broken-stores.js'
import { OpenStore } from './open-store.js'

type Result = 'updated' | 'conflict' | 'absent'

/** Checks the version, and writes later. */
class CheckThenWrite extends OpenStore {
  override async updateSession(id: SessionId, version: number, changes: SessionChanges): Promise<Result> {
    const session = this.sessions.get(id)
    if (session === undefined) return 'absent'
    if (!this.accepts(session, version)) return 'conflict'
    await nextTurn()
    this.sessions.set(id, this.changed(session, changes))
    return 'updated'
  }
}

/** Finds sessions by the metadata that they were created with. */
class FirstMetadata extends OpenStore {
  readonly #first = new Map<SessionId, SessionMetadata | null>()

  override async createSession(session: SessionRecord): Promise<void> {
    await super.createSession(session)
    this.#first.set(session.id, session.metadata)
  }

  override holds(session: SessionRecord, pairs: SessionMetadata): boolean {
    return super.holds({ ...session, metadata: this.#first.get(session.id) ?? null }, pairs)
  }
}

/** Forgets where a session is once its deadline has moved. */
class LostMetadata extends OpenStore {
  override holds(session: SessionRecord, pairs: SessionMetadata): boolean {
    return session.version === 1 && super.holds(session, pairs)
  }
}

/** Sweeps by the deadline that a session was created with. */
class FirstDeadline extends OpenStore {
  readonly #first = new Map<SessionId, SessionRecord>()

  override async createSession(session: SessionRecord): Promise<void> {
    await super.createSession(session)
    this.#first.set(session.id, session)
  }

  override isExpired(session: SessionRecord, before: Date): boolean {
    return super.isExpired(this.#first.get(session.id) ?? session, before)
  }
}

/** Writes back what it read, activity included. */
class MovesActivityBack extends OpenStore {
  readonly #first = new Map<SessionId, SessionRecord>()

  override async createSession(session: SessionRecord): Promise<void> {
    await super.createSession(session)
    this.#first.set(session.id, structuredClone(session))
  }

  override changed(session: SessionRecord, changes: SessionChanges): SessionRecord {
    const { lastActivityAt, idleDeadline } = this.#first.get(session.id) ?? session
    return { ...super.changed(session, changes), lastActivityAt, idleDeadline }
  }
}

export const brokenUpdates: BrokenStores = {
  'updateSession: changes what it names, counts the version up, and leaves the rest and others alone': class extends OpenStore {
    override async updateSession(id: SessionId, version: number, changes: SessionChanges): Promise<Result> {
      const result = await super.updateSession(id, version, changes)
      // Whoever has the same metadata is changed too.
      for (const other of this.sessions.keys()) {
        if (other !== id) this.change(other, { details: changes.details ?? null })
      }
      return result
    }
  },

  'updateSession: undefined changes nothing': class extends OpenStore {
    override changed(session: SessionRecord, changes: SessionChanges): SessionRecord {
      return { ...super.changed(session, changes), details: changes.details ?? null }
    }
  },

  'updateSession: conflict with any version but its own, and then nothing changes': class extends OpenStore {
    override accepts(): boolean {
      return true
    }
  },

  'updateSession: of ten at once with one version exactly one is told updated, and its change stands':
    CheckThenWrite,

  'updateSession: absent if there is no such session, and creates nothing': class extends OpenStore {
    override async updateSession(id: SessionId, version: number, changes: SessionChanges): Promise<Result> {
      if (!this.sessions.has(id)) this.sessions.set(id, newSession({ id }))
      return super.updateSession(id, version, changes)
    }
  },

  'updateSession: the absolute deadline moves forward only': class extends OpenStore {
    override changed(session: SessionRecord, changes: SessionChanges): SessionRecord {
      const { absoluteDeadline = session.absoluteDeadline } = changes
      return { ...super.changed(session, changes), absoluteDeadline }
    }
  },

  'updateSession: the idle deadline becomes the later one, and never lies past the absolute one': class extends OpenStore {
    override changed(session: SessionRecord, changes: SessionChanges): SessionRecord {
      const { idleDeadline = session.idleDeadline } = changes
      return { ...super.changed(session, changes), idleDeadline }
    }
  },

  'updateSession: gives no idle deadline to a session without one': class extends OpenStore {
    override changed(session: SessionRecord, changes: SessionChanges): SessionRecord {
      const changed = super.changed(session, changes)
      return { ...changed, idleDeadline: changed.idleDeadline ?? changes.idleDeadline ?? null }
    }
  },

  'updateSession: activity leaves the version alone, and is neither lost nor moved back': MovesActivityBack,

  'updateSession: beside activity at the same time both take effect': CheckThenWrite,

  'updateSession: beside a deletion at the same time the session stays deleted': CheckThenWrite,

  'updateSession: what binds the session to a device stays through activity and re-authentication': class extends OpenStore {
    override changed(session: SessionRecord, changes: SessionChanges): SessionRecord {
      return { ...super.changed(session, changes), deviceBound: changes.deviceBound ?? false }
    }
  },

  'updateSession: past its old deadline the session is still listed, and deleted with its user':
    FirstDeadline,

  'updateSession: new metadata finds the session, and what is gone from it does not': FirstMetadata,

  'updateSession: past its old deadline its metadata still finds the session': LostMetadata,

  'deleteUser: forgets the user, and is false if there is nothing to forget': class extends OpenStore {
    override async deleteUser(): Promise<boolean> {
      return true
    }
  },

  'deleteUser: leaves other users and every session alone': class extends OpenStore {
    override async deleteUser(userId: string): Promise<boolean> {
      this.sessions.clear()
      return super.deleteUser(userId)
    }
  },
}
