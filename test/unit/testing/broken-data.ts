import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SessionDataLimits } from '../../../types/data.js'
import type { SessionId } from '../../../types/session.js'
import type { SessionChanges, SessionRecord } from '../../../types/store.js'
import { OpenDataStore } from './open-data-store.js'

type Changes = ReadonlyMap<string, string | null>
type Written = 'written' | 'full' | 'absent'

/** Reads, and writes back later. */
class ReadThenWrite extends OpenDataStore {
  override async writeData(id: SessionId, changes: Changes, limits: SessionDataLimits): Promise<Written> {
    const data = this.of(id)
    if (data === null) return 'absent'
    const next = this.after(data, changes)
    await nextTurn()
    if (!this.fits(next, data, limits)) return 'full'
    this.data.set(id, next)
    return 'written'
  }
}

/** Counts, and writes later. */
class CountThenWrite extends OpenDataStore {
  override async writeData(id: SessionId, changes: Changes, limits: SessionDataLimits): Promise<Written> {
    const data = this.of(id)
    if (data !== null && !this.fits(this.after(data, changes), data, limits)) return 'full'
    await nextTurn()
    return await super.writeData(id, changes, { maxKeys: Number.POSITIVE_INFINITY })
  }
}

/** Compares, and swaps later. */
class CompareThenSwap extends OpenDataStore {
  override async swapData(
    id: SessionId,
    key: string,
    expected: string | null,
    next: string | null,
    limits: SessionDataLimits,
  ): ReturnType<OpenDataStore['swapData']> {
    const data = this.of(id)
    if (data === null) return 'absent'
    if (!this.isExpected(data.get(key), expected)) return 'conflict'
    await nextTurn()
    return (await super.writeData(id, new Map([[key, next]]), limits)) === 'full' ? 'full' : 'swapped'
  }
}

/** Keeps the data of a session that is gone, for one with the same id. */
class LeavesBehind extends OpenDataStore {
  override async createSession(session: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void> {
    const left = this.data.get(session.id)
    await super.createSession(session, data)
    if (left !== undefined && data === undefined) this.data.set(session.id, left)
  }
}

/** Keeps what is written before there is a session. */
class WritesAhead extends LeavesBehind {
  override async writeData(id: SessionId, changes: Changes, limits: SessionDataLimits): Promise<Written> {
    if (!this.sessions.has(id)) this.data.set(id, this.after(new Map(), changes))
    return await super.writeData(id, changes, limits)
  }
}

/** Leaves behind what was written late. */
class WritesLate extends OpenDataStore {
  override of(id: SessionId): Map<string, string> | null {
    const data = super.of(id)
    return data ?? (this.data.has(id) ? new Map() : null)
  }

  override async readData(
    id: SessionId,
    keys: readonly string[] | null,
  ): Promise<Map<string, string> | null> {
    return this.sessions.has(id) ? await super.readData(id, keys) : null
  }

  override async createSession(session: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void> {
    const left = this.data.get(session.id)
    await super.createSession(session, data)
    if (left !== undefined && left.size > 0 && data === undefined) this.data.set(session.id, left)
  }
}

export const brokenData: Readonly<Record<string, new () => OpenDataStore>> = {
  'readData: null if there is no such session, an empty map if it has no data': class extends OpenDataStore {
    override of(id: SessionId): Map<string, string> {
      return super.of(id) ?? new Map()
    }
  },

  'readData: the keys that were asked for, and those that are absent are left out': class extends OpenDataStore {
    override pick(data: Map<string, string>): Map<string, string> {
      return new Map(data)
    }
  },

  'writeData: keeps keys and values as given': class extends OpenDataStore {
    override after(data: Map<string, string>, changes: Changes): Map<string, string> {
      const next = super.after(data, changes)
      return new Map([...next].map(([key, value]) => [key, JSON.stringify(JSON.parse(value))]))
    }
  },

  'writeData: sets and deletes what it names, and touches nothing else': class extends OpenDataStore {
    override after(_data: Map<string, string>, changes: Changes): Map<string, string> {
      return super.after(new Map(), changes)
    }
  },

  'writeData: absent if there is no such session, and keeps nothing': WritesAhead,

  'writeData: full past the most keys, and then changes nothing; what adds no key may always be done': class extends OpenDataStore {
    override fits(next: Map<string, string>, _data: Map<string, string>, limits: SessionDataLimits): boolean {
      return next.size <= limits.maxKeys
    }
  },

  'swapData: changes the key only if its value is the expected one': class extends OpenDataStore {
    override isExpected(found: string | undefined, expected: string | null): boolean {
      return (found ?? null) === (expected?.trim() ?? null)
    }
  },

  'swapData: full past the most keys, and absent without a session': class extends OpenDataStore {
    override fits(): boolean {
      return true
    }
  },

  'data: is gone with its session, whatever ends that': LeavesBehind,
  'data: is gone with sessions that are deleted together, by a sweep or by their metadata': LeavesBehind,

  'data: stays through activity, extensions and updates, which it does not touch either': class extends OpenDataStore {
    override async updateSession(
      id: SessionId,
      version: number,
      changes: SessionChanges,
    ): ReturnType<OpenDataStore['updateSession']> {
      this.data.delete(id)
      return await super.updateSession(id, version, changes)
    }
  },

  'data: of an expired session can be read and written until it is deleted': class extends OpenDataStore {
    override of(id: SessionId): Map<string, string> | null {
      const session = this.sessions.get(id)
      const isWritten = (this.data.get(id)?.size ?? 0) > 0
      return session && isWritten && this.isExpired(session, new Date()) ? null : super.of(id)
    }
  },

  'data: a later change to what it was given, or handed out, changes nothing that is stored': class extends OpenDataStore {
    override pick(data: Map<string, string>, keys: readonly string[] | null): Map<string, string> {
      return keys === null ? data : super.pick(data, keys)
    }
  },

  'createSession: with data, keeps both in one step': class extends OpenDataStore {
    override async createSession(session: SessionRecord): Promise<void> {
      await super.createSession(session)
    }
  },

  'createSession: with data for an id that exists, rejects and leaves the data as it was': class extends OpenDataStore {
    override async createSession(session: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void> {
      this.data.set(session.id, new Map(data))
      await super.createSession(session, data)
    }
  },

  'visitors: are kept with their data, and belong to nobody': class extends OpenDataStore {
    override owns(userId: string, session: SessionRecord): boolean {
      return userId === String(session.userId)
    }
  },

  'visitors: end with all sessions, and are swept': class extends OpenDataStore {
    override remove(matches: (session: SessionRecord) => boolean, limit?: number): number {
      return super.remove((session) => session.userId !== null && matches(session), limit)
    }
  },

  'writeData: many at once that set different keys all stay': ReadThenWrite,
  'writeData: many at once never make more keys than there may be': CountThenWrite,
  'swapData: 50 at once that count make 50': CompareThenSwap,
  'swapData: of 20 at once that take a value one gets it': CompareThenSwap,
  'data: writes at once with a deletion leave nothing behind, and nobody waits for ever': WritesLate,
}
