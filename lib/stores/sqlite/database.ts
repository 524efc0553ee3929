/** What the store binds to a statement. */
export type SqliteValue = string | number | null

/** The part of a prepared statement that `SqliteStore` uses. */
export interface SqliteStatement {
  run(...values: SqliteValue[]): { readonly changes: number | bigint }
  get(...values: SqliteValue[]): unknown
  all(...values: SqliteValue[]): unknown[]
}

/** The part of an open database that `SqliteStore` uses: that of better-sqlite3, libsql and `node:sqlite` will do. */
export interface SqliteDatabase {
  prepare(sql: string): SqliteStatement
  exec(sql: string): unknown
  /** `false` once it is closed, if the driver says so. */
  readonly open?: unknown
  /** True if the application has a transaction open, which what the store writes then becomes part of. */
  readonly inTransaction?: unknown
  /** The same in `node:sqlite`. */
  readonly isTransaction?: unknown
}
