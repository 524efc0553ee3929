import type { SessionDataLimits, SessionDataStore } from '../../../types/data.js'
import type { SessionId } from '../../../types/session.js'
import { hasRoom, pick } from '../shared/data.js'
import type { SqliteConnection } from './connection.js'

interface DataRow {
  readonly key: string
  readonly value: string | null
}

/** What the application keeps with sessions: a row for each key, changed in a transaction that first looks for the session. */
export class SqliteData implements SessionDataStore {
  readonly #connection: SqliteConnection
  readonly #sql: {
    readonly exists: string
    readonly read: string
    readonly keys: string
    readonly set: string
    readonly delete: string
  }

  constructor(connection: SqliteConnection, prefix: string) {
    const [sessions, data] = [`${prefix}sessions`, `${prefix}session_data`]
    this.#connection = connection
    this.#sql = {
      exists: `SELECT 1 FROM ${sessions} INDEXED BY ${sessions}_id WHERE id = ?`,
      read: `SELECT key, value FROM ${data} WHERE session_id = ?`,
      keys: `SELECT key, CASE WHEN key = ? THEN value END AS value FROM ${data} WHERE session_id = ?`,
      set: `
        INSERT INTO ${data} (session_id, key, value) VALUES (?, ?, ?)
        ON CONFLICT (session_id, key) DO UPDATE SET value = excluded.value`,
      delete: `DELETE FROM ${data} WHERE session_id = ? AND key = ?`,
    }
  }

  async readData(id: SessionId, keys: readonly string[] | null): Promise<ReadonlyMap<string, string> | null> {
    const rows = toMap(this.#connection.all(this.#sql.read, id))
    if (rows.size === 0 && !this.#exists(id)) return null
    return pick(rows as Map<string, string>, keys)
  }

  async writeData(
    id: SessionId,
    changes: ReadonlyMap<string, string | null>,
    limits: SessionDataLimits,
  ): Promise<'written' | 'full' | 'absent'> {
    return this.#connection.inTransaction(() => {
      if (!this.#exists(id)) return 'absent'
      return this.#change(id, this.#keysOf(id, null), changes, limits) ? 'written' : 'full'
    })
  }

  async swapData(
    id: SessionId,
    key: string,
    expected: string | null,
    next: string | null,
    limits: SessionDataLimits,
  ): Promise<'swapped' | 'conflict' | 'full' | 'absent'> {
    return this.#connection.inTransaction(() => {
      if (!this.#exists(id)) return 'absent'
      const rows = this.#keysOf(id, key)
      if ((rows.get(key) ?? null) !== expected) return 'conflict'
      return this.#change(id, rows, new Map([[key, next]]), limits) ? 'swapped' : 'full'
    })
  }

  /** With a new session, inside of its transaction. */
  insert(id: SessionId, data: ReadonlyMap<string, string>): void {
    for (const [key, value] of data) this.#connection.run(this.#sql.set, id, key, value)
  }

  #exists(id: SessionId): boolean {
    return this.#connection.get(this.#sql.exists, id) !== undefined
  }

  /** Every key, and the value of the one that is named. */
  #keysOf(id: SessionId, key: string | null): Map<string, string | null> {
    return toMap(this.#connection.all(this.#sql.keys, key, id))
  }

  #change(
    id: SessionId,
    rows: ReadonlyMap<string, string | null>,
    changes: ReadonlyMap<string, string | null>,
    limits: SessionDataLimits,
  ): boolean {
    if (!hasRoom(rows, changes, limits)) return false
    for (const [key, value] of changes) {
      if (value === null) this.#connection.run(this.#sql.delete, id, key)
      else this.#connection.run(this.#sql.set, id, key, value)
    }
    return true
  }
}

function toMap(rows: unknown[]): Map<string, string | null> {
  return new Map((rows as DataRow[]).map(({ key, value }) => [key, value]))
}
