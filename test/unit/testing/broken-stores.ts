import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SessionId } from '../../../types/session.js'
import type { SessionExtension, SessionRecord, SessionStore } from '../../../types/store.js'
import { latest, OpenStore } from './open-store.js'

/** Stores that break one rule each, by the name of the case that must find it. */
export type BrokenStores = Readonly<Record<string, new () => SessionStore>>

/** Remembers what was deleted, and brings it back when it is written to. */
export class Zombies extends OpenStore {
  readonly dead = new Map<SessionId, SessionRecord>()

  override async deleteSession(id: SessionId): Promise<boolean> {
    const session = this.sessions.get(id)
    if (session !== undefined) this.dead.set(id, session)
    return super.deleteSession(id)
  }

  override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    const session = this.dead.get(id)
    if (session !== undefined) this.sessions.set(id, session)
    return super.extendSession(id, to)
  }
}

class SharedDates extends OpenStore {
  override show(session: SessionRecord): SessionRecord {
    return session
  }
}

export const brokenStores: BrokenStores = {
  'capabilities: every optional method is there or absent, as declared': class extends OpenStore {
    constructor() {
      super()
      Object.assign(this, { listUserSessions: true })
    }
  },

  'createSession: keeps every field, and times to the millisecond': class extends OpenStore {
    override keep(session: SessionRecord): SessionRecord {
      const seconds = Math.floor(session.createdAt.getTime() / 1_000)
      return { ...super.keep(session), createdAt: new Date(seconds * 1_000) }
    }
  },

  'createSession: keeps metadata as given': class extends OpenStore {
    override keep(session: SessionRecord): SessionRecord {
      return Object.keys(session.metadata ?? {}).length === 0
        ? { ...super.keep(session), metadata: null }
        : super.keep(session)
    }
  },

  'createSession: keeps null if there is no idle limit and no metadata': class extends OpenStore {
    override keep(session: SessionRecord): SessionRecord {
      return { ...super.keep(session), metadata: session.metadata ?? {} }
    }
  },

  'createSession: keeps lifetimes of a hundred years and of a millisecond': class extends OpenStore {
    override keep(session: SessionRecord): SessionRecord {
      const { idleTimeout } = session
      return { ...super.keep(session), idleTimeout: idleTimeout && Math.min(idleTimeout, 2 ** 31 - 1) }
    }
  },

  'createSession: rejects if the id exists, and leaves the first session as it was': class extends OpenStore {
    override async createSession(session: SessionRecord): Promise<void> {
      this.sessions.set(session.id, this.keep(session))
    }
  },

  'createSession: of many at once with the same id exactly one wins': class extends OpenStore {
    override async createSession(session: SessionRecord): Promise<void> {
      if (this.sessions.has(session.id)) throw new Error('exists')
      await nextTurn()
      this.sessions.set(session.id, this.keep(session))
    }
  },

  'createSession: ids that differ only in case are different sessions': class extends OpenStore {
    override async deleteSession(id: SessionId): Promise<boolean> {
      return this.remove((session) => session.id.toLowerCase() === id.toLowerCase()) > 0
    }
  },

  'createSession: a later change to what it was given changes nothing that is stored': class extends OpenStore {
    override keep(session: SessionRecord): SessionRecord {
      return { ...structuredClone(session), metadata: session.metadata }
    }
  },

  'getSession: null if the session is absent': class extends OpenStore {
    override async getSession(id: SessionId): Promise<SessionRecord | null> {
      return (await super.getSession(id)) ?? (undefined as unknown as null)
    }
  },

  'getSession: an expired session as it was, or null': class extends OpenStore {
    override async getSession(id: SessionId): Promise<SessionRecord | null> {
      const session = await super.getSession(id)
      if (session !== null && this.isExpired(session, new Date())) throw new Error('expired')
      return session
    }
  },

  'getSession: a change to what it hands out changes nothing that is stored': SharedDates,
  'listUserSessions: a change to what it hands out changes nothing that is stored': SharedDates,

  'extendSession: moves last activity and the idle deadline forward, and nothing else': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      this.change(id, { metadata: null })
      return super.extendSession(id, to)
    }
  },

  'extendSession: moves each of the two times forward only, whatever the other does': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      const session = this.sessions.get(id)
      if (session !== undefined && to.lastActivityAt > session.lastActivityAt) this.change(id, { ...to })
      return session !== undefined
    }
  },

  'extendSession: true if the session exists, moved or not': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      return this.moves(id, to.lastActivityAt) && super.extendSession(id, to)
    }
  },

  'extendSession: false if the session is absent, and creates nothing': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      await super.extendSession(id, to)
      return true
    }
  },

  'extendSession: late after a deletion, false and brings nothing back': Zombies,

  'extendSession: at once with a deletion, brings nothing back': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      const session = this.sessions.get(id)
      if (session === undefined) return false
      await nextTurn()
      this.sessions.set(id, session)
      return super.extendSession(id, to)
    }
  },

  'extendSession: of many at once the latest time stands': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      const session = this.sessions.get(id)
      if (session === undefined) return false
      const lastActivityAt = latest(session.lastActivityAt, to.lastActivityAt)
      const idleDeadline = latest(session.idleDeadline, to.idleDeadline)
      await nextTurn()
      this.change(id, { lastActivityAt, idleDeadline })
      return true
    }
  },

  'extendSession: without an idle limit moves last activity alone': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      const session = this.sessions.get(id)
      return session?.idleDeadline === null || super.extendSession(id, to)
    }
  },

  'extendSession: neither gives an idle limit nor takes one': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      const exists = await super.extendSession(id, to)
      if (to.idleDeadline === null) this.change(id, { idleDeadline: null })
      return exists
    }
  },

  'extendSession: a later change to its dates changes nothing that is stored': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      const exists = await super.extendSession(id, to)
      if (!this.moves(id, to.lastActivityAt)) this.change(id, { ...to })
      return exists
    }
  },

  'deleteSession: true if there was a session, which is gone then': class extends OpenStore {
    override async deleteSession(id: SessionId): Promise<boolean> {
      return this.sessions.has(id)
    }
  },

  'deleteSession: false if there was none, also the second time': class extends OpenStore {
    override async deleteSession(id: SessionId): Promise<boolean> {
      this.sessions.delete(id)
      return true
    }
  },

  'deleteSession: touches no other session': class extends OpenStore {
    override async deleteSession(id: SessionId): Promise<boolean> {
      const userId = this.sessions.get(id)?.userId
      return this.remove((session) => session.userId === userId) > 0
    }
  },

  'deleteUserSessions: deletes every session of the user and resolves how many': class extends OpenStore {
    override async deleteUserSessions(userId: string, options?: { except?: SessionId }): Promise<number> {
      return Math.min(1, await super.deleteUserSessions(userId, options))
    }
  },

  'deleteUserSessions: keeps the session that is excepted': class extends OpenStore {
    override async deleteUserSessions(userId: string): Promise<number> {
      return super.deleteUserSessions(userId)
    }
  },

  "deleteUserSessions: another user's session, or none, as the exception keeps nothing": class extends OpenStore {
    override async deleteUserSessions(userId: string, options?: { except?: SessionId }): Promise<number> {
      const kept = options?.except && this.sessions.get(options.except)
      return kept && !this.owns(userId, kept) ? 0 : super.deleteUserSessions(userId, options)
    }
  },

  'deleteUserSessions: touches no other user': class extends OpenStore {
    override async deleteUserSessions(userId: string): Promise<number> {
      const deleted = await super.deleteUserSessions(userId)
      this.sessions.clear()
      return deleted
    }
  },

  'deleteUserSessions: 0 for a user without sessions': class extends OpenStore {
    override async deleteUserSessions(userId: string, options?: { except?: SessionId }): Promise<number> {
      return (await super.deleteUserSessions(userId, options)) || -1
    }
  },

  'deleteUserSessions: leaves nothing behind that was created before it began': class extends OpenStore {
    override async deleteUserSessions(userId: string, options?: { except?: SessionId }): Promise<number> {
      const [newest] = [...this.sessions.keys()].slice(-1)
      await nextTurn()
      return super.deleteUserSessions(userId, this.sessions.size > 50 ? { except: newest } : options)
    }
  },
}
