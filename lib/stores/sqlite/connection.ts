import { GoseshError } from '../../core/errors.js'
import type { SqliteDatabase, SqliteStatement, SqliteValue } from './database.js'
import { type SqliteSchemaPart, sqliteVersionTable } from './migrations.js'
import { Reserve } from './reserve.js'

interface VersionRow {
  readonly part: string
  readonly version: number | bigint
}

function storeError(error: unknown): GoseshError {
  if (error instanceof GoseshError) return error
  // SQLite has no code of its own for a missing table; its words are the same through every driver.
  const text = String(error)
  if (/no such (table|index)/.test(text)) return new GoseshError('GOSESH_ERR_STORE_SCHEMA', { cause: error })
  if (!/(table|index) .* already exists/.test(text)) {
    return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause: error })
  }
  return new GoseshError('GOSESH_ERR_STORE_SCHEMA', {
    message: 'A table or index that store.migrate() would make exists already; choose another tablePrefix',
    cause: error,
  })
}

/** As with a missing table: the code differs between drivers, the words do not. */
function isFull(error: unknown): boolean {
  return String(error).includes('database or disk is full')
}

/**
 * Pages of the log after which SQLite copies them into the database, in the turn of whoever wrote last. Its default of
 * 1,000 would keep every request waiting for that.
 */
const checkpointPages = 200
/** The level of `PRAGMA synchronous` at which a commit to the log does not wait for the disk. */
const normal = 1

export interface ConnectionSettings {
  readonly busyTimeout: number
  readonly tablePrefix: string
  /** What the store needs; other parts may be there or not. */
  readonly parts: readonly SqliteSchemaPart[]
}

/**
 * The store's side of the driver: set up on first use, statements prepared once. Whatever the driver throws becomes
 * `GOSESH_ERR_STORE_SCHEMA` or `GOSESH_ERR_STORE_UNAVAILABLE`.
 */
export class SqliteConnection {
  readonly #database: SqliteDatabase
  readonly #settings: ConnectionSettings
  readonly #statements = new Map<string, SqliteStatement>()
  #configured = false
  /** `null` until it is configured, and for a database that is in no file. */
  #reserve: Reserve | null = null
  #current = false
  /** Not every driver says if a transaction is open. */
  #inOwnTransaction = false

  constructor(database: SqliteDatabase, settings: ConnectionSettings) {
    this.#database = database
    this.#settings = settings
  }

  /** How many rows the statement changed. */
  run(sql: string, ...values: SqliteValue[]): number {
    return this.#useRoom(sql, (statement) => this.#write(() => Number(statement.run(...values).changes)))
  }

  /** As `run`, but it does not wait for the disk: a power cut may lose what it wrote, and nothing else. */
  runUnsynced(sql: string, ...values: SqliteValue[]): number {
    return this.#useRoom(sql, (statement) =>
      this.#unsynced(() => this.#write(() => Number(statement.run(...values).changes))),
    )
  }

  /** The rows that a statement with `RETURNING` changed. */
  returning(sql: string, ...values: SqliteValue[]): unknown[] {
    return this.#useRoom(sql, (statement) => this.#write(() => statement.all(...values)))
  }

  /** The first row, or `undefined`. */
  get(sql: string, ...values: SqliteValue[]): unknown {
    return this.#use(sql, (statement) => statement.get(...values))
  }

  all(sql: string, ...values: SqliteValue[]): unknown[] {
    return this.#use(sql, (statement) => statement.all(...values))
  }

  /** Does the work in one transaction; what it calls of this connection is part of it, and may insert. */
  inTransaction<T>(work: () => T): T {
    return this.#guard(() => {
      this.#requireSchema()
      this.#reserve?.hold()
      return this.#write(() => {
        const outer = this.#inOwnTransaction
        this.#inOwnTransaction = true
        try {
          return work()
        } finally {
          this.#inOwnTransaction = outer
        }
      })
    })
  }

  /** Brings every part up to date, in one transaction. */
  migrate(): void {
    this.#guard(() => {
      this.#switchToWal()
      // Of processes that start together, the second finds the work done.
      this.#transaction(() => {
        this.#database.exec(sqliteVersionTable(this.#settings.tablePrefix))
        const versions = this.#versions()
        for (const part of this.#settings.parts) this.#bringUpToDate(part, versions.get(part.name) ?? 0)
      })
    })
  }

  /** Throws `GOSESH_ERR_STORE_SCHEMA` if a part is missing or older; asks anew each time. */
  checkSchema(): void {
    this.#guard(() => {
      this.#current = false
      this.#requireSchema()
    })
  }

  #use<T>(sql: string, work: (statement: SqliteStatement) => T): T {
    return this.#guard(() => {
      this.#requireSchema()
      return work(this.#prepare(sql))
    })
  }

  /**
   * What only changes and deletes rows goes on when the disk is full: the reserve makes room for what is in the log, whose
   * own space is then used again and again. What inserts rows does not begin without a reserve.
   */
  #useRoom<T>(sql: string, work: (statement: SqliteStatement) => T): T {
    return this.#use(sql, (statement) => {
      if (/^\s*INSERT/.test(sql)) {
        this.#reserve?.hold()
        return work(statement)
      }
      // A transaction of the application's may be gone after the failure; what was part of it is not done without it.
      const reserve = this.#isInTransaction() ? null : this.#reserve
      try {
        return work(statement)
      } catch (error) {
        if (reserve === null || !isFull(error)) throw error
        reserve.release()
        this.#database.prepare('PRAGMA wal_checkpoint(PASSIVE)').all()
        return work(statement)
      }
    })
  }

  #guard<T>(work: () => T): T {
    try {
      // A statement of libsql outlives the closing of its database.
      if (this.#database.open === false) throw new Error('The database is closed')
      this.#configure()
      return work()
    } catch (error) {
      throw storeError(error)
    }
  }

  /** What belongs to the connection. FULL: a sign-in or a revocation that was answered survives a power cut. */
  #configure(): void {
    if (this.#configured) return
    this.#database.exec(`PRAGMA busy_timeout = ${this.#settings.busyTimeout}`)
    this.#database.exec('PRAGMA synchronous = FULL')
    this.#database.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`)
    const files = this.#database.prepare('PRAGMA database_list').all() as {
      name: string
      file: string | null
    }[]
    const file = files.find(({ name }) => name === 'main')?.file
    this.#reserve = file ? new Reserve(file) : null
    this.#configured = true
  }

  /** A newer schema will do: migrations only add, so that the release before still runs. */
  #requireSchema(): void {
    if (this.#current) return
    const versions = this.#versions()
    for (const { name, migrations } of this.#settings.parts) {
      if ((versions.get(name) ?? 0) < migrations.length) throw new GoseshError('GOSESH_ERR_STORE_SCHEMA')
    }
    this.#current = true
  }

  /**
   * The mode is kept in the file, and cannot be changed inside a transaction. If two connections change it at once,
   * one of them fails without waiting for the busy timeout; for a write lock it does wait, and then tries again.
   */
  #switchToWal(attempts = 10): void {
    try {
      this.#database.exec('PRAGMA journal_mode = WAL')
    } catch (error) {
      if (attempts === 1) throw error
      this.#database.exec('BEGIN IMMEDIATE')
      this.#database.exec('COMMIT')
      this.#switchToWal(attempts - 1)
    }
  }

  #versions(): Map<string, number> {
    const rows = this.#database.prepare(`SELECT part, version FROM ${this.#settings.tablePrefix}schema`).all()
    return new Map((rows as VersionRow[]).map(({ part, version }) => [part, Number(version)]))
  }

  #bringUpToDate({ name, migrations }: SqliteSchemaPart, version: number): void {
    if (version >= migrations.length) return
    for (const sql of migrations.slice(version)) this.#database.exec(sql)
    this.#database
      .prepare(`INSERT OR REPLACE INTO ${this.#settings.tablePrefix}schema (part, version) VALUES (?, ?)`)
      .run(name, migrations.length)
  }

  /**
   * Runs a statement once the write lock is there. Were it to wait for the lock itself, in vain, libsql would leave it
   * unfinished, and commit nothing that is written after it.
   */
  #write<T>(work: () => T): T {
    return this.#isInTransaction() ? work() : this.#transaction(work)
  }

  /** True if a transaction is open on the connection, of the application's or of ours. */
  #isInTransaction(): boolean {
    const { inTransaction, isTransaction } = this.#database
    return this.#inOwnTransaction || inTransaction === true || isTransaction === true
  }

  /** Inside of a transaction the setting cannot be changed, and the commit is not the store's. */
  #unsynced<T>(work: () => T): T {
    if (this.#isInTransaction()) return work()
    // What the application has set it to since is put back.
    const { synchronous } = this.#prepare('PRAGMA synchronous').get() as { synchronous: number | bigint }
    if (synchronous <= normal) return work()
    this.#database.exec(`PRAGMA synchronous = ${normal}`)
    try {
      return work()
    } finally {
      this.#database.exec(`PRAGMA synchronous = ${synchronous}`)
    }
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      this.#rollBack()
      throw error
    }
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself, or the connection is gone; what matters is why.
    }
  }

  #prepare(sql: string): SqliteStatement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}
