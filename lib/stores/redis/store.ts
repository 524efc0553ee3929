import type { SessionDataStore } from '../../../types/data.js'
import type { DeviceCodeStore } from '../../../types/device-code.js'
import type { RevocationLog } from '../../../types/revocation-log.js'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  DeviceCodeProvider,
  MetadataSessionsDeleter,
  SelfExpiring,
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
import { checkDelay, checkObject, checkUpsertUser, type UpsertUser } from '../../core/validation.js'
import { holdsPairs, parseIndexedMetadata } from '../shared/metadata.js'
import { driverOf, type RedisStoreClient } from './client.js'
import {
  decodeSession,
  encodeNumber,
  encodeSession,
  encodeTail,
  readableSession,
  withChanges,
} from './codec.js'
import { RedisConnection } from './connection.js'
import { RedisData } from './data.js'
import { RedisDeviceCodes } from './device-codes.js'
import { MetadataIndex } from './metadata-index.js'
import { checkPrefix, type RedisStoreOptions } from './options.js'
import { loggingScripts, type RevokingScripts, revocationReader, silentScripts } from './revocations.js'
import {
  deleteUser,
  extendSession,
  insertValue,
  peekSessions,
  readSessions,
  recordActivity,
  upsertUser,
} from './scripts.js'
import { type IndexEntry, isPending, UserIndex } from './user-index.js'

/** How often a creation starts over because all the user's sessions are deleted at the same time. */
const maxAttempts = 10
/** How often `deleteAllSessions` goes through a cluster. Sign-ins meanwhile let every pass find something. */
const maxPasses = 10

/** Makes a failed clean-up harmless: what it would have removed is without effect and expires by itself. */
function ignore(): void {}

/**
 * Sessions in Redis, through a client of ioredis or node-redis, standalone or cluster. Every method rejects with
 * `GOSESH_ERR_STORE_UNAVAILABLE` if Redis fails or what it holds is no session.
 */
export class RedisStore
  implements
    SessionStore,
    ActivityRecorder,
    SessionLister,
    AllSessionsDeleter,
    SelfExpiring,
    MetadataSessionsDeleter,
    SessionUpdater,
    UserDeleter,
    SessionDataStore,
    Partial<RevocationLog>,
    DeviceCodeProvider
{
  readonly #connection: RedisConnection
  readonly #scripts: RevokingScripts
  readonly #index: UserIndex
  readonly #metadata: MetadataIndex
  readonly deviceCodes: DeviceCodeStore
  readonly readData: SessionDataStore['readData']
  readonly writeData: SessionDataStore['writeData']
  readonly swapData: SessionDataStore['swapData']
  /** True with a client of a cluster. */
  readonly isCluster: boolean
  /** Absent in a cluster, in which a log would lie on another server than most of the sessions. */
  readonly readRevocations?: RevocationLog['readRevocations']
  readonly #prefix: string
  /** Milliseconds for which a session is kept past its deadline. */
  readonly expiryGrace: number
  readonly #upsertUser: UpsertUser | undefined

  /** Throws `GOSESH_ERR_OPTION` on a wrong option and on what is no client. */
  constructor(client: RedisStoreClient, options: RedisStoreOptions = {}) {
    const given = checkObject('RedisStore', options, ['prefix', 'grace', 'indexedMetadata', 'upsertUser'])
    this.#prefix = checkPrefix(given.prefix ?? 'gosesh:')
    this.expiryGrace = checkDelay('grace', given.grace ?? 300_000)
    this.#upsertUser = checkUpsertUser(given.upsertUser)
    this.#connection = new RedisConnection(driverOf(client))
    this.#index = new UserIndex(this.#connection, this.#prefix, this.expiryGrace)
    this.#metadata = new MetadataIndex(this.#connection, {
      prefix: this.#prefix,
      grace: this.expiryGrace,
      keys: parseIndexedMetadata(given.indexedMetadata),
    })
    const data = new RedisData(this.#connection, this.#prefix, this.expiryGrace)
    this.readData = data.readData.bind(data)
    this.writeData = data.writeData.bind(data)
    this.swapData = data.swapData.bind(data)
    this.isCluster = this.#connection.cluster
    this.#scripts = this.isCluster ? silentScripts : loggingScripts
    if (!this.isCluster) this.readRevocations = revocationReader(this.#connection, this.#prefix)
    this.deviceCodes = new RedisDeviceCodes(this.#connection, this.#prefix, this.expiryGrace)
    // Without a listener an error of the connection ends the process; every command reports its own failure.
    if (client.listenerCount('error') === 0) client.on('error', () => {})
  }

  /** The user is kept in Redis without expiry, unless the application has users of its own. */
  async upsertUser(authProviderId: string): Promise<string> {
    if (this.#upsertUser !== undefined) return await this.#upsertUser(authProviderId)
    const userId = userIdOf(authProviderId)
    await this.#connection.run(upsertUser, [`${this.#prefix}user:${userId}`], [authProviderId])
    return userId
  }

  /** Device codes that the user approved expire by themselves within minutes. */
  async deleteUser(userId: string): Promise<boolean> {
    return (await this.#connection.count(deleteUser, [`${this.#prefix}user:${userId}`])) > 0
  }

  /** Rejects with `GOSESH_ERR_SESSION_EXISTS`. */
  async createSession(record: SessionRecord, data: ReadonlyMap<string, string> = new Map()): Promise<void> {
    const key = this.#keyOf(record.id)
    const deadline = Math.min(record.idleDeadline?.getTime() ?? Infinity, record.absoluteDeadline.getTime())
    const args = [
      encodeSession(record, data.size > 0),
      String(deadline + this.expiryGrace),
      ...[...data].flat(),
    ]
    const entry = this.#index.entryFor(record)
    const facts = this.#metadata.entriesFor(record)
    const { userId } = record
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const [added] = await Promise.all([entry !== null && this.#index.add(entry), this.#metadata.add(facts)])
      if (Number(await this.#connection.run(insertValue, [key], args)) === 0) {
        if (entry !== null && added) await this.#withdraw(entry, userId)
        throw new GoseshError('GOSESH_ERR_SESSION_EXISTS')
      }
      if (entry === null || (await this.#index.settle(entry))) return
      // All the user's sessions were deleted meanwhile: this one with them, or else it is created once more, and has not ended.
      if ((await this.#connection.count(silentScripts.deleteSessions, [key])) === 0) return
    }
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
      cause: new Error("the user's sessions were being deleted all the time"),
    })
  }

  getSession(id: SessionId): Promise<SessionRecord | null> {
    return this.#connection.get(this.#keyOf(id), (value) => decodeSession(id, value))
  }

  /** The indexes come first: what finds the session must reach at least as far as it does. */
  async updateSession(
    id: SessionId,
    version: number,
    changes: SessionChanges,
  ): Promise<'updated' | 'conflict' | 'absent'> {
    const keys = [this.#keyOf(id)]
    const [value] = (await this.#connection.runEach(readSessions, keys)).flat()
    const record = decodeSession(id, value ?? null)
    if (record === null) return 'absent'
    if (record.version !== version) return 'conflict'
    const updated = withChanges(record, changes)
    const entry = updated.absoluteDeadline > record.absoluteDeadline ? this.#index.entryFor(updated) : null
    const facts = this.#metadata.entriesFor(updated)
    const args = [
      String(this.expiryGrace),
      String(version),
      String(changes.absoluteDeadline?.getTime() ?? ''),
      String(changes.idleDeadline?.getTime() ?? ''),
      encodeTail(updated),
    ]
    if (entry !== null && !(await this.#index.raise(entry))) return 'absent'
    await this.#metadata.add(facts)
    const result = Number(await this.#connection.run(this.#scripts.updateSession, keys, args))
    if (result === 1) return 'updated'
    return result === 0 ? 'conflict' : 'absent'
  }

  async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    const lastActivityAt = encodeNumber(to.lastActivityAt.getTime())
    const args = [String(this.expiryGrace), lastActivityAt, String(to.idleDeadline?.getTime() ?? '')]
    return Number(await this.#connection.run(extendSession, [this.#keyOf(id)], args)) === 1
  }

  async deleteSession(id: SessionId): Promise<boolean> {
    const value = await this.#connection.run(this.#scripts.takeSession, [this.#keyOf(id)])
    if (value === null) return false
    const session = readableSession(id, value)
    if (session !== null) await this.#forget([session]).catch(ignore)
    return true
  }

  async deleteUserSessions(
    userId: string,
    options: { readonly except?: SessionId | undefined } = {},
  ): Promise<number> {
    return await this.#deleteCondemned(await this.#index.condemn(userId, options.except))
  }

  async batchRecordActivity(updates: ReadonlyMap<SessionId, Date>): Promise<number> {
    const times = Array.from(updates.values(), (at) => encodeNumber(at.getTime()))
    const keys = this.#keysOf([...updates.keys()])
    return await this.#connection.count(recordActivity, keys, [String(this.expiryGrace)], times)
  }

  async listUserSessions(userId: string): Promise<SessionRecord[]> {
    const entries = await this.#index.list(userId)
    const values = (
      await this.#connection.runEach(readSessions, this.#keysOf(entries.map(({ id }) => id)))
    ).flat()
    const sessions: SessionRecord[] = []
    const gone: IndexEntry[] = []
    for (const [i, entry] of entries.entries()) {
      const session = decodeSession(entry.id, values[i])
      if (session?.userId === userId) sessions.push(session)
      else if (!isPending(entry)) gone.push(entry)
    }
    await this.#index.remove(gone).catch(ignore)
    return sessions
  }

  /** A session that begins while it runs may be deleted or not. */
  async deleteAllSessions(): Promise<number> {
    let deleted = 0
    // In a cluster, keys may move from a master to one that was scanned already; the next pass meets them there.
    const passes = this.isCluster ? maxPasses : 1
    for (let pass = 1; pass <= passes; pass++) {
      const found = await this.#deletePass()
      deleted += found
      if (found === 0 && pass > 1) break
    }
    return deleted
  }

  async #deletePass(): Promise<number> {
    let deleted = 0
    for await (const entries of this.#index.condemnAll()) deleted += await this.#deleteCondemned(entries)
    // Also those that no index has any more because Redis evicted it or lost it in a failover.
    for await (const keys of this.#connection.keys(`${this.#prefix}session:`)) {
      deleted += await this.#connection.count(this.#scripts.deleteSessions, keys)
    }
    return deleted
  }

  /** Rejects with `GOSESH_ERR_OPTION` if none of the pairs has a key that the store finds sessions by. */
  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
    const wanted = Object.entries(pairs)
    if (wanted.length === 0) return []
    const ids = await this.#metadata.find(pairs)
    const values = (await this.#connection.runEach(peekSessions, this.#keysOf(ids))).flat()
    const sessions = ids
      .map((id, i) => readableSession(id, values[i]))
      .filter((session) => session !== null && holdsPairs(session.metadata, wanted)) as SessionRecord[]
    const keys = this.#keysOf(sessions.map(({ id }) => id))
    const taken = (await this.#connection.runEach(this.#scripts.takeSessions, keys)).flat()
    const deleted = sessions.filter((_, i) => Number(taken[i]) === 1)
    await this.#forget(deleted).catch(ignore)
    return deleted.map(({ id }) => id)
  }

  async #deleteCondemned(entries: readonly IndexEntry[]): Promise<number> {
    const deleted = await this.#connection.count(
      this.#scripts.deleteSessions,
      this.#keysOf(entries.map(({ id }) => id)),
    )
    await this.#index.remove(entries)
    return deleted
  }

  /** Takes the entry of a refused session out of the index again, unless the session of that id is this user's. */
  async #withdraw(entry: IndexEntry, userId: string | null): Promise<void> {
    const existing = await this.getSession(entry.id)
    if (existing?.userId !== userId) await this.#index.remove([entry])
  }

  /** Takes deleted sessions out of the indexes. */
  async #forget(sessions: readonly SessionRecord[]): Promise<void> {
    await Promise.all([this.#index.removeSessions(sessions), this.#metadata.removeSessions(sessions)])
  }

  #keysOf(ids: readonly SessionId[]): string[] {
    return ids.map((id) => this.#keyOf(id))
  }

  /** The id is a hash tag: whatever else is kept of a session can lie in its slot of a cluster. */
  #keyOf(id: SessionId): string {
    return `${this.#prefix}session:{${id}}`
  }
}
