import type { SessionDataStore } from '../../../types/data.js'
import type { DeviceCodeStore } from '../../../types/device-code.js'
import type { RevocationLog } from '../../../types/revocation-log.js'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  DeviceCodeProvider,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SchemaChecker,
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
import {
  checkBoolean,
  checkObject,
  checkUpsertUser,
  hasMethods,
  secretOptionError,
  type UpsertUser,
} from '../../core/validation.js'
import { type ActivitySlice, writeInTurns } from '../shared/in-turns.js'
import { keyAmong, parseIndexedMetadata } from '../shared/metadata.js'
import { type PostgresPool, StatementRunner, type TextRow } from './client.js'
import { toChangeValues, toRecord, toValues } from './codec.js'
import { PostgresData } from './data.js'
import { PostgresDeviceCodes } from './device-codes.js'
import { checkPostgres, migratePostgres, type Wanted } from './migrations.js'
import type { PostgresStoreOptions } from './options.js'
import { PostgresRevocations } from './revocations.js'
import { type Statements, statements } from './statements.js'
import { type TableNames, tableNames } from './tables.js'

/** Sessions that one statement of a flush moves. It keeps a core of the server busy while it runs. */
const sessionsPerStatement = 1_000
/** How often such a statement is sent again for rows that other transactions moved meanwhile. */
const maxFlushTries = 10
/** Sessions that one statement of `deleteAllSessions` deletes. */
const deletePageSize = 5_000
/** Blocks of the table, of 8 KiB, that one statement of a sweep looks at: some 25,000 sessions. */
const sweepBlocks = 512

const poolMethods = ['query', 'connect', 'on', 'listenerCount']
const optionNames = ['schema', 'tablePrefix', 'indexedMetadata', 'upsertUser', 'preparedStatements']

/**
 * Sessions in PostgreSQL, through a `Pool` of `pg` that stays the caller's to close. Every method rejects with
 * `GOSESH_ERR_STORE_UNAVAILABLE` if the server cannot answer, and with `GOSESH_ERR_STORE_SCHEMA` before `migrate()`.
 */
export class PostgresStore
  implements
    SessionStore,
    ActivityRecorder,
    SessionLister,
    ExpiredSessionSweeper,
    AllSessionsDeleter,
    MetadataSessionsDeleter,
    SchemaChecker,
    SessionUpdater,
    UserDeleter,
    SessionDataStore,
    RevocationLog,
    DeviceCodeProvider
{
  readonly #pool: PostgresPool
  readonly #tables: TableNames
  readonly #indexedKeys: readonly string[]
  readonly #statements: Statements
  readonly #runner: StatementRunner
  readonly #upsertUser: UpsertUser | undefined
  readonly #deviceCodes: PostgresDeviceCodes
  readonly #data: PostgresData
  readonly #revocations: PostgresRevocations
  readonly readData: SessionDataStore['readData']
  readonly writeData: SessionDataStore['writeData']
  readonly swapData: SessionDataStore['swapData']
  readonly readRevocations: RevocationLog['readRevocations']
  /** The block of the table at which the next sweep begins. */
  #sweepFrom = 0

  /** Throws `GOSESH_ERR_OPTION` on a wrong option, or on what is no pool. */
  constructor(pool: PostgresPool, options: PostgresStoreOptions = {}) {
    // A `Client` has the same methods, but one connection, and perhaps a transaction of the application's on it.
    if (!hasMethods(pool, poolMethods) || !('totalCount' in pool)) {
      throw secretOptionError('pool', pool, 'a Pool of pg (with @fastify/postgres: app.pg.pool)')
    }
    const { schema, tablePrefix, indexedMetadata, upsertUser, preparedStatements } = checkObject(
      'PostgresStore',
      options,
      optionNames,
    ) as PostgresStoreOptions
    this.#pool = pool
    this.#tables = tableNames(schema, tablePrefix ?? 'gosesh_')
    this.#indexedKeys = parseIndexedMetadata(indexedMetadata)
    this.#statements = statements(this.#tables, this.#indexedKeys)
    this.#runner = new StatementRunner(pool, checkBoolean('preparedStatements', preparedStatements ?? true))
    this.#upsertUser = checkUpsertUser(upsertUser)
    this.#deviceCodes = new PostgresDeviceCodes(this.#runner, this.#tables)
    this.#data = new PostgresData(this.#runner, this.#tables)
    this.readData = this.#data.readData.bind(this.#data)
    this.writeData = this.#data.writeData.bind(this.#data)
    this.swapData = this.#data.swapData.bind(this.#data)
    this.#revocations = new PostgresRevocations(this.#runner, this.#tables)
    this.readRevocations = this.#revocations.readRevocations.bind(this.#revocations)
    // A pool that nobody listens to ends the process when the server drops an idle connection of it.
    if (pool.listenerCount('error') === 0) pool.on('error', () => {})
  }

  get deviceCodes(): DeviceCodeStore {
    return this.#deviceCodes
  }

  /**
   * Makes the tables, or brings them to this version. Safe to call at every start, by several processes at once.
   * Rejects with `GOSESH_ERR_STORE_SCHEMA` if such a table exists that it did not make.
   */
  async migrate(): Promise<void> {
    await migratePostgres(this.#pool, this.#tables, this.#wanted)
  }

  /** Rejects with `GOSESH_ERR_STORE_SCHEMA` if `migrate()` has something to do. */
  async checkSchema(): Promise<void> {
    await checkPostgres(this.#runner, this.#tables, this.#wanted)
  }

  /** With the option `upsertUser`, rejects with what that rejects with. */
  async upsertUser(authProviderId: string): Promise<string> {
    if (this.#upsertUser !== undefined) return this.#upsertUser(authProviderId)
    const id = userIdOf(authProviderId)
    await this.#runner.run(this.#statements.upsertUser, [id, authProviderId])
    return id
  }

  /** With the option `upsertUser` the table of users is the application's, which deletes the user itself. */
  async deleteUser(userId: string): Promise<boolean> {
    const codes = await this.#deviceCodes.deleteOfUser(userId)
    if (this.#upsertUser !== undefined) return codes > 0
    const { rowCount } = await this.#runner.run(this.#statements.deleteUser, [userId])
    return codes + Number(rowCount) > 0
  }

  /** Rejects with `GOSESH_ERR_SESSION_EXISTS` if the id exists. */
  async createSession(record: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void> {
    const statement = this.#statements.createSession
    const { rowCount } =
      data === undefined || data.size === 0
        ? await this.#runner.run(statement, toValues(record))
        : await this.#data.createSession(statement, record, data)
    if (rowCount === 0) throw new GoseshError('GOSESH_ERR_SESSION_EXISTS')
  }

  async getSession(id: SessionId): Promise<SessionRecord | null> {
    const { rows } = await this.#runner.run(this.#statements.getSession, [id])
    return rows[0] === undefined ? null : toRecord(id, rows[0])
  }

  async updateSession(
    id: SessionId,
    version: number,
    changes: SessionChanges,
  ): Promise<'updated' | 'conflict' | 'absent'> {
    const values = [id, version, ...toChangeValues(changes)]
    const { result } = await this.#runner.one(this.#statements.updateSession, values)
    return result as 'updated' | 'conflict' | 'absent'
  }

  async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    const { found } = await this.#runner.one(this.#statements.extendSession, [
      id,
      to.lastActivityAt.toISOString(),
      to.idleDeadline?.toISOString(),
    ])
    return found === 'true'
  }

  async deleteSession(id: SessionId): Promise<boolean> {
    const { rowCount } = await this.#runner.run(this.#statements.deleteSession, [id])
    return rowCount === 1
  }

  async deleteUserSessions(
    userId: string,
    options: { except?: SessionId | undefined } = {},
  ): Promise<number> {
    const { rowCount } = await this.#runner.run(this.#statements.deleteUserSessions, [userId, options.except])
    return Number(rowCount)
  }

  /**
   * The server confirms the batch before it is on its disk: a crash of the server may lose the last second of it. Rejects
   * with `GOSESH_ERR_STORE_UNAVAILABLE` if a session cannot be updated, once all the others are.
   */
  async batchRecordActivity(updates: ReadonlyMap<SessionId, Date>): Promise<number> {
    let missed = 0
    const moved = await writeInTurns(updates, sessionsPerStatement, async (slice) => {
      const written = await this.#recordActivity(slice)
      missed += written.missed
      return written.moved
    })
    if (missed === 0) return moved
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
      cause: new Error(
        `${missed} sessions are still not updated after ${maxFlushTries} tries; is there a trigger?`,
      ),
    })
  }

  async #recordActivity(slice: ActivitySlice): Promise<{ moved: number; missed: number }> {
    // Neither an id nor a time has a comma in it, and pg would quote every element of an array by itself.
    const ids = slice.map(([id]) => id).join(',')
    const times = slice.map(([, at]) => at.getTime()).join(',')
    let moved = 0
    let missed = 0
    for (let tries = 1; tries <= maxFlushTries; tries++) {
      const row = await this.#runner.one(this.#statements.recordActivity, [ids, times])
      moved += Number(row.moved)
      missed = Number(row.missed)
      if (missed === 0) break
    }
    return { moved, missed }
  }

  async listUserSessions(userId: string): Promise<SessionRecord[]> {
    const { rows } = await this.#runner.run(this.#statements.listUserSessions, [userId])
    return rows.map((row) => toRecord(row.id as string, row))
  }

  /**
   * Goes through the table in bounded steps, from where the last call stopped and at most once around. Also forgets revocations
   * that are older than ten minutes.
   */
  async deleteExpiredSessions(before: Date, limit: number): Promise<number> {
    await this.#revocations.prune(before)
    const start = this.#sweepFrom
    let from = start
    let wrapped = start === 0
    let deleted = 0
    for (;;) {
      const step = await this.#sweep(from, before, limit - deleted)
      deleted += step.deleted
      if (deleted >= limit) return deleted
      from += sweepBlocks
      const atEnd = from >= step.blocks
      if (atEnd) from = 0
      this.#sweepFrom = from
      if (wrapped && (atEnd || (start > 0 && from >= start))) return deleted
      wrapped ||= atEnd
    }
  }

  /** Deletes page by page, so that nothing has to wait for all of it; sessions that begin meanwhile may stay. */
  async deleteAllSessions(): Promise<number> {
    let deleted = 0
    let from: string | null = ''
    while (from !== null) {
      const page: TextRow = await this.#runner.one(this.#statements.deletePage, [from, deletePageSize])
      deleted += Number(page.deleted)
      from = page.last ?? null
    }
    return deleted
  }

  /** Without an indexed key among the pairs it reads the whole table. */
  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
    const [first] = Object.keys(pairs)
    if (first === undefined) return []
    const key = keyAmong(this.#indexedKeys, pairs) ?? ''
    const byFact = this.#statements.deleteByFact.get(key)
    const found = byFact === undefined ? JSON.stringify(first) : pairs[key]
    const statement = byFact ?? this.#statements.deleteByMetadata
    const { rows } = await this.#runner.run(statement, [JSON.stringify(pairs), found])
    return rows.map(({ id }) => id as SessionId)
  }

  get #wanted(): Wanted {
    return { withUsers: this.#upsertUser === undefined, indexedKeys: this.#indexedKeys }
  }

  async #sweep(from: number, before: Date, limit: number): Promise<{ deleted: number; blocks: number }> {
    const { deleted, blocks } = await this.#runner.one(this.#statements.sweepBlocks, [
      `(${from},0)`,
      `(${from + sweepBlocks},0)`,
      before.toISOString(),
      limit,
    ])
    return { deleted: Number(deleted), blocks: Number(blocks) }
  }
}
