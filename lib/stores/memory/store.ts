import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SessionDataLimits, SessionDataStore } from '../../../types/data.js'
import type { DeviceCodeStore } from '../../../types/device-code.js'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  DeviceCodeProvider,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SessionChanges,
  SessionExtension,
  SessionLister,
  SessionRecord,
  SessionStore,
  SessionUpdater,
  UserDeleter,
} from '../../../types/store.js'
import { GoseshError } from '../../core/errors.js'
import { userIdOf } from '../../core/user-id.js'
import { checkCount, checkObject } from '../../core/validation.js'
import { writeInTurns } from '../shared/in-turns.js'
import { holdsPairs, keyAmong, type MetadataPair, pairsOf, parseIndexedMetadata } from '../shared/metadata.js'
import { changeData, valuesOf } from './data.js'
import { MemoryDeviceCodes } from './device-codes.js'
import { IdIndex } from './id-index.js'
import { change, copyOf, deadlineOf, type StoredSession, toRecord, toStored } from './stored-session.js'

export interface MemoryStoreOptions {
  /** Sessions kept at most; past it `createSession` rejects with `GOSESH_ERR_STORE_FULL`. Default: 1,000,000. */
  readonly maxSessions?: number | undefined
  /** Visitors kept at most, beside the sessions; as `maxSessions`. Default: 100,000. */
  readonly maxVisitors?: number | undefined
  /** Device codes kept at most; past it `createDeviceCode` rejects with `GOSESH_ERR_STORE_FULL`. Default: 100,000. */
  readonly maxDeviceCodes?: number | undefined
  /**
   * Keys of the metadata by which `deleteSessionsByMetadata` finds sessions without looking at all, beside `oidc_sid` and
   * `oidc_sub`. Default: none.
   */
  readonly indexedMetadata?: readonly string[] | undefined
}

/** Sessions of a batch of activity that are moved in one turn of the event loop. */
const sessionsPerTurn = 1_000
/** Sessions looked at in one turn of the event loop by a sweep. */
const sweepStride = 10_000

/** What sessions with this fact are found under. Metadata has no NUL in it. */
function indexText([key, value]: MetadataPair): string {
  return `${key}\0${value}`
}

/** Sessions in this process's memory: for one process, for development and for tests. They end with the process. */
export class MemoryStore
  implements
    SessionStore,
    ActivityRecorder,
    SessionLister,
    ExpiredSessionSweeper,
    AllSessionsDeleter,
    MetadataSessionsDeleter,
    SessionUpdater,
    UserDeleter,
    SessionDataStore,
    DeviceCodeProvider
{
  readonly #maxSessions: number
  readonly #maxVisitors: number
  #visitors = 0
  readonly #indexedKeys: readonly string[]
  readonly #sessions = new Map<SessionId, StoredSession>()
  readonly #idsByUser = new IdIndex()
  readonly #idsByMetadata = new IdIndex()
  readonly #deviceCodes: MemoryDeviceCodes
  /** Where a sweep that is not done goes on; `null` otherwise, as it keeps what it iterates over in memory. */
  #sweepCursor: Iterator<[SessionId, StoredSession]> | null = null

  /** Throws `GOSESH_ERR_OPTION` on a wrong option. */
  constructor(options: MemoryStoreOptions = {}) {
    const known = ['maxSessions', 'maxVisitors', 'maxDeviceCodes', 'indexedMetadata']
    const { maxSessions, maxVisitors, maxDeviceCodes, indexedMetadata } = checkObject(
      'MemoryStore',
      options,
      known,
    )
    this.#indexedKeys = parseIndexedMetadata(indexedMetadata)
    this.#maxSessions = checkCount('maxSessions', maxSessions ?? 1_000_000)
    this.#maxVisitors = checkCount('maxVisitors', maxVisitors ?? 100_000)
    this.#deviceCodes = new MemoryDeviceCodes(checkCount('maxDeviceCodes', maxDeviceCodes ?? 100_000))
  }

  get deviceCodes(): DeviceCodeStore {
    return this.#deviceCodes
  }

  async upsertUser(authProviderId: string): Promise<string> {
    return userIdOf(authProviderId)
  }

  /** Device codes that the user approved; a user without them leaves nothing behind here. */
  async deleteUser(userId: string): Promise<boolean> {
    return this.#deviceCodes.deleteOfUser(userId)
  }

  /** Rejects with `GOSESH_ERR_SESSION_EXISTS`, and past `maxSessions` with `GOSESH_ERR_STORE_FULL`. */
  async createSession(record: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void> {
    const { id } = record
    if (this.#sessions.has(id)) throw new GoseshError('GOSESH_ERR_SESSION_EXISTS')
    this.#checkRoom(record.userId)
    const stored = toStored(record)
    if (data !== undefined && data.size > 0) stored.data = new Map(data)
    if (stored.userId === null) this.#visitors++
    this.#sessions.set(id, stored)
    if (stored.userId !== null) this.#idsByUser.add(stored.userId, id)
    this.#index(id, stored.metadata)
  }

  /** Visitors have room of their own, so that a flood of them keeps no user out. */
  #checkRoom(userId: string | null): void {
    const [kept, most] =
      userId === null
        ? [this.#visitors, this.#maxVisitors]
        : [this.#sessions.size - this.#visitors, this.#maxSessions]
    if (kept >= most) throw new GoseshError('GOSESH_ERR_STORE_FULL')
  }

  /** Without a promise: the answer is at hand. */
  getSession(id: SessionId): SessionRecord | null {
    const stored = this.#sessions.get(id)
    return stored === undefined ? null : toRecord(id, stored)
  }

  async updateSession(
    id: SessionId,
    version: number,
    changes: SessionChanges,
  ): Promise<'updated' | 'conflict' | 'absent'> {
    const stored = this.#sessions.get(id)
    if (stored === undefined) return 'absent'
    if (stored.version !== version) return 'conflict'
    change(stored, changes)
    if (changes.metadata !== undefined) {
      this.#unindex(id, stored.metadata)
      stored.metadata = copyOf(changes.metadata)
      this.#index(id, stored.metadata)
    }
    return 'updated'
  }

  async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    const stored = this.#sessions.get(id)
    if (stored === undefined) return false
    stored.lastActivityAt = Math.max(stored.lastActivityAt, to.lastActivityAt.getTime())
    if (stored.idleDeadline !== null && to.idleDeadline !== null) {
      stored.idleDeadline = Math.max(stored.idleDeadline, to.idleDeadline.getTime())
    }
    return true
  }

  async readData(id: SessionId, keys: readonly string[] | null): Promise<ReadonlyMap<string, string> | null> {
    const stored = this.#sessions.get(id)
    return stored === undefined ? null : valuesOf(stored, keys)
  }

  async writeData(
    id: SessionId,
    changes: ReadonlyMap<string, string | null>,
    limits: SessionDataLimits,
  ): Promise<'written' | 'full' | 'absent'> {
    const stored = this.#sessions.get(id)
    if (stored === undefined) return 'absent'
    return changeData(stored, changes, limits) ? 'written' : 'full'
  }

  async swapData(
    id: SessionId,
    key: string,
    expected: string | null,
    next: string | null,
    limits: SessionDataLimits,
  ): Promise<'swapped' | 'conflict' | 'full' | 'absent'> {
    const stored = this.#sessions.get(id)
    if (stored === undefined) return 'absent'
    if ((stored.data?.get(key) ?? null) !== expected) return 'conflict'
    return changeData(stored, new Map([[key, next]]), limits) ? 'swapped' : 'full'
  }

  async deleteSession(id: SessionId): Promise<boolean> {
    return this.#delete(id)
  }

  async deleteUserSessions(
    userId: string,
    options: { except?: SessionId | undefined } = {},
  ): Promise<number> {
    let deleted = 0
    for (const id of this.#idsByUser.of(userId)) {
      if (id !== options.except && this.#delete(id)) deleted++
    }
    return deleted
  }

  async batchRecordActivity(updates: ReadonlyMap<SessionId, Date>): Promise<number> {
    return await writeInTurns(updates, sessionsPerTurn, (slice) => {
      let moved = 0
      for (const [id, at] of slice) if (this.#recordActivity(id, at.getTime())) moved++
      return moved
    })
  }

  async listUserSessions(userId: string): Promise<SessionRecord[]> {
    const sessions: SessionRecord[] = []
    for (const id of this.#idsByUser.of(userId)) {
      const stored = this.#sessions.get(id)
      if (stored !== undefined) sessions.push(toRecord(id, stored))
    }
    return sessions
  }

  async deleteExpiredSessions(before: Date, limit: number): Promise<number> {
    let deleted = 0
    // Every session is looked at once, from where the last call ended: chunks do not begin at the first one again.
    for (let left = this.#sessions.size; left > 0 && deleted < limit; left--) {
      const next = this.#nextToSweep()
      if (next === null) break
      const [id, stored] = next
      if (deadlineOf(stored) < before.getTime() && this.#delete(id)) deleted++
      if (left % sweepStride === 0) await nextTurn()
    }
    if (deleted < limit) this.#sweepCursor = null
    return deleted
  }

  #recordActivity(id: SessionId, at: number): boolean {
    const stored = this.#sessions.get(id)
    if (stored === undefined || at <= stored.lastActivityAt) return false
    stored.lastActivityAt = at
    if (stored.idleTimeout !== null) {
      const idleDeadline = Math.min(stored.absoluteDeadline, at + stored.idleTimeout)
      stored.idleDeadline = Math.max(Number(stored.idleDeadline), idleDeadline)
    }
    return true
  }

  #nextToSweep(): [SessionId, StoredSession] | null {
    this.#sweepCursor ??= this.#sessions.entries()
    const next = this.#sweepCursor.next()
    if (!next.done) return next.value
    this.#sweepCursor = this.#sessions.entries()
    return this.#sweepCursor.next().value ?? null
  }

  async deleteAllSessions(): Promise<number> {
    const deleted = this.#sessions.size
    this.#sessions.clear()
    this.#visitors = 0
    this.#idsByUser.clear()
    this.#idsByMetadata.clear()
    return deleted
  }

  /** Without an indexed key among the pairs it looks at every session. */
  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
    const wanted = Object.entries(pairs)
    const deleted: SessionId[] = []
    for (const id of this.#candidates(pairs)) {
      const metadata = this.#sessions.get(id)?.metadata ?? null
      if (holdsPairs(metadata, wanted) && this.#delete(id)) deleted.push(id)
    }
    return deleted
  }

  /** The sessions among which those with the pairs are. */
  #candidates(pairs: SessionMetadata): Iterable<SessionId> {
    const key = keyAmong(this.#indexedKeys, pairs)
    return key === undefined
      ? this.#sessions.keys()
      : this.#idsByMetadata.of(indexText([key, pairs[key] as string]))
  }

  #delete(id: SessionId): boolean {
    const stored = this.#sessions.get(id)
    if (stored === undefined) return false
    this.#sessions.delete(id)
    if (stored.userId === null) this.#visitors--
    else this.#idsByUser.delete(stored.userId, id)
    this.#unindex(id, stored.metadata)
    return true
  }

  #index(id: SessionId, metadata: SessionMetadata | null): void {
    for (const pair of pairsOf(metadata, this.#indexedKeys)) this.#idsByMetadata.add(indexText(pair), id)
  }

  #unindex(id: SessionId, metadata: SessionMetadata | null): void {
    for (const pair of pairsOf(metadata, this.#indexedKeys)) this.#idsByMetadata.delete(indexText(pair), id)
  }
}
