import type { SessionDataStore } from '../../../types/data.js'
import type { DeviceCodeStore } from '../../../types/device-code.js'
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
  checkDelay,
  checkObject,
  checkUpsertUser,
  hasMethods,
  optionError,
  secretOptionError,
  type UpsertUser,
} from '../../core/validation.js'
import { writeInTurns } from '../shared/in-turns.js'
import { keyAmong, parseIndexedMetadata } from '../shared/metadata.js'
import { type SessionRow, toChangeValues, toRecord, toValues } from './codec.js'
import { SqliteConnection } from './connection.js'
import { SqliteData } from './data.js'
import type { SqliteDatabase } from './database.js'
import { SqliteDeviceCodes } from './device-codes.js'
import {
  sqliteDataPart,
  sqliteDeviceCodesPart,
  sqliteMetadataIndexPart,
  sqliteSessionsPart,
  sqliteUsersPart,
} from './migrations.js'
import { type SqliteStatements, sqliteStatements } from './statements.js'
import { Sweep } from './sweep.js'

export interface SqliteStoreOptions {
  /**
   * Milliseconds that a call waits for another connection's lock, then `GOSESH_ERR_STORE_UNAVAILABLE`. The whole
   * process waits. Default: 1,000.
   */
  readonly busyTimeout?: number | undefined
  /** Begins the name of every table and index. Default: `gosesh_`. */
  readonly tablePrefix?: string | undefined
  /**
   * Keys of the metadata by which `deleteSessionsByMetadata` finds sessions without reading the whole table, beside
   * `oidc_sid` and `oidc_sub`. `migrate` makes an index for each. Default: none.
   */
  readonly indexedMetadata?: readonly string[] | undefined
  /** Finds or makes the user in the application's own table; then there is no users table here. Default: there is. */
  readonly upsertUser?: UpsertUser | undefined
}

function checkDatabase(value: unknown): SqliteDatabase {
  if (hasMethods(value, ['prepare', 'exec'])) return value as SqliteDatabase
  throw secretOptionError('database', value, 'an open database of better-sqlite3, libsql or node:sqlite')
}

function checkPrefix(value: unknown): string {
  if (typeof value === 'string' && /^(?!sqlite_)[a-z_][a-z0-9_]{0,39}$/i.test(value)) return value
  throw optionError(
    'tablePrefix',
    value,
    'letters, digits and _, at most 40, beginning with neither a digit nor sqlite_',
  )
}

const optionNames = ['busyTimeout', 'tablePrefix', 'indexedMetadata', 'upsertUser']

/** Few enough for requests to be served between two statements, enough to share the cost of a transaction. */
const sessionsPerTurn = 100

/**
 * Sessions in a SQLite database of this machine. Every method rejects with `GOSESH_ERR_STORE_UNAVAILABLE` if SQLite
 * fails, and with `GOSESH_ERR_STORE_SCHEMA` if `migrate` has not run. A call holds the event loop while it lasts:
 * the drivers are synchronous.
 */
export class SqliteStore
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
    DeviceCodeProvider
{
  readonly #connection: SqliteConnection
  readonly #sql: SqliteStatements
  readonly #indexedKeys: readonly string[]
  readonly #upsertUser: SqliteStoreOptions['upsertUser']
  readonly #sweep: Sweep
  readonly #deviceCodes: SqliteDeviceCodes
  readonly #data: SqliteData
  readonly readData: SessionDataStore['readData']
  readonly writeData: SessionDataStore['writeData']
  readonly swapData: SessionDataStore['swapData']

  /** The database stays the application's to close. Throws `GOSESH_ERR_OPTION` on a wrong argument. */
  constructor(database: SqliteDatabase, options: SqliteStoreOptions = {}) {
    const given = checkObject('SqliteStore', options, optionNames)
    const tablePrefix = checkPrefix(given.tablePrefix ?? 'gosesh_')
    this.#upsertUser = checkUpsertUser(given.upsertUser)
    this.#indexedKeys = parseIndexedMetadata(given.indexedMetadata)
    this.#sql = sqliteStatements(tablePrefix, this.#indexedKeys)
    const parts = [
      sqliteSessionsPart(tablePrefix),
      sqliteDataPart(tablePrefix),
      sqliteDeviceCodesPart(tablePrefix),
      ...this.#indexedKeys.map((key) => sqliteMetadataIndexPart(tablePrefix, key)),
    ]
    if (this.#upsertUser === undefined) parts.push(sqliteUsersPart(tablePrefix))
    this.#connection = new SqliteConnection(checkDatabase(database), {
      busyTimeout: checkDelay('busyTimeout', given.busyTimeout ?? 1_000),
      tablePrefix,
      parts,
    })
    this.#sweep = new Sweep(this.#connection, this.#sql)
    this.#deviceCodes = new SqliteDeviceCodes(this.#connection, tablePrefix)
    this.#data = new SqliteData(this.#connection, tablePrefix)
    this.readData = this.#data.readData.bind(this.#data)
    this.writeData = this.#data.writeData.bind(this.#data)
    this.swapData = this.#data.swapData.bind(this.#data)
  }

  get deviceCodes(): DeviceCodeStore {
    return this.#deviceCodes
  }

  /** Makes the tables or brings them up to date. Idempotent, even if several processes start at once. */
  async migrate(): Promise<void> {
    this.#connection.migrate()
  }

  /** Rejects with `GOSESH_ERR_STORE_SCHEMA` if `migrate` has something to do. */
  async checkSchema(): Promise<void> {
    this.#connection.checkSchema()
  }

  async upsertUser(authProviderId: string): Promise<string> {
    if (this.#upsertUser !== undefined) return this.#upsertUser(authProviderId)
    const [row] = this.#connection.returning(this.#sql.upsertUser, userIdOf(authProviderId), authProviderId)
    return (row as { id: string }).id
  }

  /** With the option `upsertUser` the table of users is the application's, which deletes the user itself. */
  async deleteUser(userId: string): Promise<boolean> {
    const codes = this.#deviceCodes.deleteOfUser(userId)
    const users = this.#upsertUser === undefined ? this.#connection.run(this.#sql.deleteUser, userId) : 0
    return codes + users > 0
  }

  /** Rejects with `GOSESH_ERR_SESSION_EXISTS` if the id exists. */
  async createSession(record: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void> {
    const create = (): void => {
      const created = this.#connection.run(this.#sql.createSession, ...toValues(record))
      if (created === 0) throw new GoseshError('GOSESH_ERR_SESSION_EXISTS')
    }
    if (data === undefined || data.size === 0) return create()
    this.#connection.inTransaction(() => {
      create()
      this.#data.insert(record.id, data)
    })
  }

  async getSession(id: SessionId): Promise<SessionRecord | null> {
    const row = this.#connection.get(this.#sql.getSession, id) as SessionRow | undefined
    return row === undefined ? null : toRecord(row)
  }

  async updateSession(
    id: SessionId,
    version: number,
    changes: SessionChanges,
  ): Promise<'updated' | 'conflict' | 'absent'> {
    const values = toChangeValues(changes)
    const updated = this.#connection.run(this.#sql.updateSession, ...values, id, version)
    if (updated === 1) return 'updated'
    return this.#connection.get(this.#sql.getSession, id) === undefined ? 'absent' : 'conflict'
  }

  async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    const idleDeadline = to.idleDeadline?.getTime() ?? null
    return this.#connection.run(this.#sql.extendSession, to.lastActivityAt.getTime(), idleDeadline, id) === 1
  }

  async deleteSession(id: SessionId): Promise<boolean> {
    return this.#connection.run(this.#sql.deleteSession, id) === 1
  }

  async deleteUserSessions(
    userId: string,
    options: { readonly except?: SessionId | undefined } = {},
  ): Promise<number> {
    return this.#connection.run(this.#sql.deleteUserSessions, userId, options.except ?? null)
  }

  /** In turns of the event loop, each a statement of its own. */
  async batchRecordActivity(updates: ReadonlyMap<SessionId, Date>): Promise<number> {
    return await writeInTurns(updates, sessionsPerTurn, (slice) => {
      const times = Object.fromEntries(slice.map(([id, at]) => [id, at.getTime()]))
      return this.#connection.runUnsynced(this.#sql.batchRecordActivity, JSON.stringify(times))
    })
  }

  async listUserSessions(userId: string): Promise<SessionRecord[]> {
    return (this.#connection.all(this.#sql.listUserSessions, userId) as SessionRow[]).map(toRecord)
  }

  /** Looks at the whole table, in turns of the event loop. */
  async deleteExpiredSessions(before: Date, limit: number): Promise<number> {
    return this.#sweep.deleteExpired(before.getTime(), limit)
  }

  async deleteAllSessions(): Promise<number> {
    return this.#connection.run(this.#sql.deleteAllSessions)
  }

  /** Without an indexed key among the pairs it reads the whole table, in one statement. */
  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]> {
    if (Object.keys(pairs).length === 0) return []
    const key = keyAmong(this.#indexedKeys, pairs) ?? ''
    const byFact = this.#sql.deleteByFact.get(key)
    const json = JSON.stringify(pairs)
    const rows =
      byFact === undefined
        ? this.#connection.returning(this.#sql.deleteByMetadata, json)
        : this.#connection.returning(byFact, pairs[key] as string, json)
    return (rows as Pick<SessionRow, 'id'>[]).map(({ id }) => id as SessionId)
  }
}
