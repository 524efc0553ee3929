import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { SessionExtension, SessionRecord } from '../../../types/store.js'
import type { BrokenStores } from './broken-stores.js'
import { OpenStore } from './open-store.js'

export const brokenMetadata: BrokenStores = {
  'deleteSessionsByMetadata: deletes every session that holds the pairs, whoever has it, and resolves their ids': class extends OpenStore {
    override async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
      const first = [...this.sessions.values()].find((session) => this.holds(session, pairs))
      return first !== undefined && this.sessions.delete(first.id) ? [first.id] : []
    }
  },

  'deleteSessionsByMetadata: spares a session that holds only some of the pairs': class extends OpenStore {
    override holds({ metadata }: SessionRecord, pairs: SessionMetadata): boolean {
      return Object.entries(pairs).some(([key, value]) => metadata !== null && metadata[key] === value)
    }
  },

  'deleteSessionsByMetadata: spares sessions without metadata, and with other facts in it': class extends OpenStore {
    override holds({ metadata }: SessionRecord, pairs: SessionMetadata): boolean {
      const text = JSON.stringify(metadata).replaceAll('\\', '')
      return Object.entries(pairs).every(([key, value]) => text.includes(`"${key}":"${value}"`))
    }
  },

  'deleteSessionsByMetadata: no pairs match no session': class extends OpenStore {
    override async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
      const found = [...this.sessions.values()].filter((session) => this.holds(session, pairs))
      for (const { id } of found) this.sessions.delete(id)
      return found.map(({ id }) => id)
    }
  },

  'deleteSessionsByMetadata: tells values apart, however alike': class extends OpenStore {
    override holds({ metadata }: SessionRecord, pairs: SessionMetadata): boolean {
      return Object.entries(pairs).every(([key, value]) => metadata?.[key]?.normalize() === value.normalize())
    }
  },

  'deleteSessionsByMetadata: finds a session by each of the keys that logout goes by, beside any others': class extends OpenStore {
    override async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
      return 'oidc_sub' in pairs ? super.deleteSessionsByMetadata(pairs) : []
    }
  },

  'deleteSessionsByMetadata: an empty array if there is no such session, also the second time': class extends OpenStore {
    override async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
      const deleted = await super.deleteSessionsByMetadata(pairs)
      return deleted.length === 0 ? (null as unknown as SessionId[]) : deleted
    }
  },

  'deleteSessionsByMetadata: finds a session that was extended and active, and nothing brings it back': class extends OpenStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      this.change(id, { metadata: null })
      return super.extendSession(id, to)
    }
  },

  'deleteSessionsByMetadata: of sessions deleted before, none is found, and one of that id again is': class extends OpenStore {
    readonly #deleted = new Set<SessionId>()

    override async deleteSession(id: SessionId): Promise<boolean> {
      this.#deleted.add(id)
      return super.deleteSession(id)
    }

    override async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
      return [...(await super.deleteSessionsByMetadata(pairs)), ...this.#deleted]
    }
  },

  'deleteSessionsByMetadata: of many at once each id is resolved to one caller': class extends OpenStore {
    override async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
      const found = [...this.sessions.values()].filter((session) => this.holds(session, pairs))
      await nextTurn()
      for (const { id } of found) this.sessions.delete(id)
      return found.map(({ id }) => id)
    }
  },

  'deleteSessionsByMetadata: leaves nothing behind that was created before it began': class extends OpenStore {
    readonly #indexed = new Set<SessionId>()

    override async createSession(session: SessionRecord): Promise<void> {
      await super.createSession(session)
      void nextTurn().then(() => this.#indexed.add(session.id))
    }

    override holds(session: SessionRecord, pairs: SessionMetadata): boolean {
      return this.#indexed.has(session.id) && super.holds(session, pairs)
    }
  },
}
