import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Revocations } from '../../../types/revocation-log.js'
import type { SessionId } from '../../../types/session.js'
import type { SessionExtension, SessionRecord } from '../../../types/store.js'
import { OpenLogStore } from './open-log-store.js'

/** For each case of the contract a log that breaks the rule. */
export const brokenLogs: Readonly<Record<string, new () => OpenLogStore>> = {
  'readRevocations: without a cursor gives no entries, only where to begin': class extends OpenLogStore {
    override async readRevocations(cursor: string | null): Promise<Revocations> {
      return await super.readRevocations(cursor ?? this.cursorAt(0))
    }
  },

  'readRevocations: cannot tell by a cursor that it does not know, and goes on from there': class extends OpenLogStore {
    override placeOf(cursor: string): number | null {
      return super.placeOf(cursor) ?? this.log.length
    }
  },

  'readRevocations: gives what happened since the cursor, again for one that was used': class extends OpenLogStore {
    override cursorAt(): string {
      return super.cursorAt(0)
    }
  },

  'readRevocations: has every session that was deleted, one by one, of a user, by metadata or all': class extends OpenLogStore {
    override record(sessions: readonly SessionRecord[], ended: boolean): void {
      super.record(sessions.slice(0, 1), ended)
    }
  },

  'readRevocations: has nothing of a deletion that found nothing': class extends OpenLogStore {
    override async deleteSession(id: SessionId): Promise<boolean> {
      if (!this.sessions.has(id)) this.log.push({ id, ended: true })
      return await super.deleteSession(id)
    }
  },

  'readRevocations: a change is no end, and comes before the end': class extends OpenLogStore {
    override isEnd(): boolean {
      return true
    }
  },

  'readRevocations: has nothing of sessions that begin, are active or are extended': class extends OpenLogStore {
    override async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
      this.log.push({ id, ended: false })
      return await super.extendSession(id, to)
    }
  },

  'readRevocations: has nothing of what a sweep removes, and what is deleted after it': class extends OpenLogStore {
    override deleteExpiredSessions(before: Date, limit: number): Promise<number> {
      return this.watch(() => super.deleteExpiredSessions(before, limit))
    }
  },

  'readRevocations: has nothing of visitors': class extends OpenLogStore {
    override isLogged(): boolean {
      return true
    }
  },

  'readRevocations: what one reader has read, another with a cursor of its own still gets': class extends OpenLogStore {
    #read = 0

    override async readRevocations(cursor: string | null): Promise<Revocations> {
      const { entries, ...next } = await super.readRevocations(cursor && this.cursorAt(this.#read))
      this.#read = this.log.length
      return { ...next, entries }
    }
  },

  'readRevocations: has what was acknowledged before it, whatever 12 others write meanwhile': class extends OpenLogStore {
    override record(sessions: readonly SessionRecord[], ended: boolean): void {
      void nextTurn().then(() => super.record(sessions, ended))
    }
  },

  'readRevocations: between them, readers that poll in turns miss nothing': class extends OpenLogStore {
    override async readRevocations(cursor: string | null): Promise<Revocations> {
      const { entries } = await super.readRevocations(cursor)
      await nextTurn()
      return { cursor: this.cursorAt(this.log.length), entries }
    }
  },

  'readRevocations: deletions of all the sessions of a user at once leave none out': class extends OpenLogStore {
    override async deleteUserSessions(userId: string): Promise<number> {
      const before = this.log
      const after = [...before]
      this.log = after
      const deleting = super.deleteUserSessions(userId)
      this.log = before
      await nextTurn()
      this.log = after
      return await deleting
    }
  },

  'readRevocations: of changes and an end at once, the end comes last': class extends OpenLogStore {
    override async readRevocations(cursor: string | null): Promise<Revocations> {
      const { entries, ...next } = await super.readRevocations(cursor)
      return { ...next, entries: entries?.toSorted((a, b) => Number(b.ended) - Number(a.ended)) ?? null }
    }
  },
}
