import { setImmediate as nextTurn } from 'node:timers/promises'
import { newSession } from '../../../lib/testing/fixtures.js'
import type { SessionId } from '../../../types/session.js'
import type { SessionRecord } from '../../../types/store.js'
import { type BrokenStores, Zombies } from './broken-stores.js'
import { OpenStore } from './open-store.js'

type Batch = ReadonlyMap<SessionId, Date>

/** Rejects, as a database does that has found a deadlock, where two batches overlap. */
class Deadlocking extends OpenStore {
  #busy = false

  override async batchRecordActivity(updates: Batch): Promise<number> {
    if (this.#busy) throw new Error('deadlock detected')
    this.#busy = true
    await nextTurn()
    this.#busy = false
    return super.batchRecordActivity(updates)
  }
}

/** Moves times backward as well. */
class Backward extends OpenStore {
  override moves(id: SessionId): boolean {
    return this.sessions.has(id)
  }
}

/** Puts a session that is absent from the store into it. */
class Creating extends OpenStore {
  override async batchRecordActivity(updates: Batch): Promise<number> {
    for (const [id, at] of updates) {
      if (this.sessions.has(id)) continue
      this.sessions.set(id, { ...newSession(), id, createdAt: at, lastActivityAt: at })
    }
    return super.batchRecordActivity(updates)
  }
}

class ZombieList extends Zombies {
  override async getSession(id: SessionId): Promise<SessionRecord | null> {
    return this.dead.has(id) ? null : super.getSession(id)
  }
}

export const brokenCapabilities: BrokenStores = {
  'checkSchema: resolves if the tables are there, as often as it is asked': class extends OpenStore {
    #asked = false

    override async checkSchema(): Promise<void> {
      if (this.#asked) throw new Error('table already exists')
      this.#asked = true
    }
  },

  'at once: flushing, extending, sweeping and deleting all resolve, and nothing comes back': Deadlocking,

  'batchRecordActivity: moves last activity and the idle deadline with it, and nothing else': class extends OpenStore {
    override move(id: SessionId, at: Date): void {
      this.change(id, { lastActivityAt: new Date(at) })
    }
  },

  'batchRecordActivity: moves the idle deadline to the absolute deadline at most': class extends OpenStore {
    override idleDeadlineAt(session: SessionRecord, at: Date): Date | null {
      return session.idleTimeout === null ? null : new Date(at.getTime() + session.idleTimeout)
    }
  },

  'batchRecordActivity: moves the idle deadline forward only, even if an extension moved it further': class extends OpenStore {
    override furthest(_stored: Date | null, moved: Date | null): Date | null {
      return moved
    }
  },

  'batchRecordActivity: leaves a session without an idle limit without one': class extends OpenStore {
    override idleDeadlineAt(session: SessionRecord, at: Date): Date | null {
      return new Date(
        Math.min(session.absoluteDeadline.getTime(), at.getTime() + Number(session.idleTimeout)),
      )
    }
  },

  'batchRecordActivity: ignores unknown ids and creates nothing': Creating,

  'batchRecordActivity: resolves how many sessions moved': class extends OpenStore {
    override async batchRecordActivity(updates: Batch): Promise<number> {
      await super.batchRecordActivity(updates)
      return updates.size
    }
  },

  'batchRecordActivity: 0 for an empty map': class extends OpenStore {
    override async batchRecordActivity(updates: Batch): Promise<number> {
      if (updates.size === 0) throw new Error('syntax error: IN ()')
      return super.batchRecordActivity(updates)
    }
  },

  'batchRecordActivity: moves forward only': Backward,

  'batchRecordActivity: the same time again is no move': class extends OpenStore {
    override moves(id: SessionId, at: Date): boolean {
      const session = this.sessions.get(id)
      return session !== undefined && at >= session.lastActivityAt
    }
  },

  'batchRecordActivity: late after a deletion, brings nothing back': Creating,

  'batchRecordActivity: takes a batch of 10,000': class extends OpenStore {
    override async batchRecordActivity(updates: Batch): Promise<number> {
      return super.batchRecordActivity(new Map([...updates].slice(0, 1_000)))
    }
  },

  'batchRecordActivity: leaves the map as it was, and keeps none of its dates': class extends OpenStore {
    override move(id: SessionId, at: Date): void {
      super.move(id, at)
      this.change(id, { lastActivityAt: at })
    }
  },

  'batchRecordActivity: with extendSession in any order the latest time stands': Backward,

  'batchRecordActivity: batches in opposite order, at once with deletions, all resolve': Deadlocking,

  'listUserSessions: every session of the user, with every field': class extends OpenStore {
    override async listUserSessions(userId: string): Promise<SessionRecord[]> {
      return (await super.listUserSessions(userId)).map((session) => ({ ...session, metadata: null }))
    }
  },

  'listUserSessions: a session is listed as soon as it is created': class extends OpenStore {
    readonly #listed = new Set<SessionId>()

    override async createSession(session: SessionRecord): Promise<void> {
      await super.createSession(session)
      void nextTurn().then(() => this.#listed.add(session.id))
    }

    override async listUserSessions(userId: string): Promise<SessionRecord[]> {
      return (await super.listUserSessions(userId)).filter(({ id }) => this.#listed.has(id))
    }
  },

  'listUserSessions: shows a session as it was last extended or active': class extends OpenStore {
    override async listUserSessions(userId: string): Promise<SessionRecord[]> {
      const sessions = await super.listUserSessions(userId)
      return sessions.map((session) => ({ ...session, lastActivityAt: session.createdAt }))
    }
  },

  'listUserSessions: no session that was deleted': class extends Zombies {
    override async listUserSessions(userId: string): Promise<SessionRecord[]> {
      return [...(await super.listUserSessions(userId)), ...this.dead.values()]
    }
  },

  'listUserSessions: nothing that an extension or a batch came too late for': ZombieList,

  "listUserSessions: nobody else's session": class extends OpenStore {
    override async listUserSessions(): Promise<SessionRecord[]> {
      return [...this.sessions.values()]
    }
  },

  'listUserSessions: an empty array for a user without sessions': class extends OpenStore {
    override async listUserSessions(userId: string): Promise<SessionRecord[]> {
      const sessions = await super.listUserSessions(userId)
      return sessions.length === 0 ? (null as unknown as SessionRecord[]) : sessions
    }
  },

  'deleteExpiredSessions: deletes what is past its idle or absolute deadline, and nothing else': class extends OpenStore {
    override isExpired(session: SessionRecord, before: Date): boolean {
      return session.absoluteDeadline < before
    }
  },

  'deleteExpiredSessions: spares a session whose deadline is exactly the given time': class extends OpenStore {
    override isExpired(session: SessionRecord, before: Date): boolean {
      return (session.idleDeadline ?? session.absoluteDeadline) <= before
    }
  },

  'deleteExpiredSessions: deletes up to the limit; fewer means that it is done': class extends OpenStore {
    override async deleteExpiredSessions(before: Date): Promise<number> {
      return this.remove((session) => this.isExpired(session, before))
    }
  },

  'deleteExpiredSessions: goes by the deadline that an extension moved': class extends OpenStore {
    override isExpired(session: SessionRecord, before: Date): boolean {
      return super.isExpired(
        { ...session, idleDeadline: this.idleDeadlineAt(session, session.createdAt) },
        before,
      )
    }
  },

  'deleteExpiredSessions: 0 if nothing has expired': class extends OpenStore {
    override isExpired(): boolean {
      return true
    }
  },

  'deleteAllSessions: deletes every session of everybody and resolves how many': class extends OpenStore {
    override async deleteAllSessions(): Promise<number> {
      return this.remove(() => true, this.sessions.size - 1) + 1
    }
  },

  'deleteAllSessions: 0 if there is no session': class extends OpenStore {
    override async deleteAllSessions(): Promise<number> {
      if (this.sessions.size === 0) throw new Error('nothing to delete')
      return super.deleteAllSessions()
    }
  },

  'deleteAllSessions: leaves the users, who can sign in again': class extends OpenStore {
    #generation = 0

    override async upsertUser(authProviderId: string): Promise<string> {
      return `user ${this.#generation} of ${authProviderId}`
    }

    override async deleteAllSessions(): Promise<number> {
      this.#generation++
      return super.deleteAllSessions()
    }
  },
}
