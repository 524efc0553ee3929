import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SqliteConnection } from './connection.js'
import type { SqliteStatements } from './statements.js'

interface ExpiredRow {
  readonly seen: number | bigint
  /** The last number seen; `NULL` if nothing was. */
  readonly last: number | bigint | null
  readonly expired: number | bigint
  /** Of the expired, as JSON. */
  readonly ids: string
}

/** Sessions looked at in one turn of the event loop. */
const pageSize = 5_000

/** Deletes expired sessions page by page, in the order in which the table is kept. */
export class Sweep {
  readonly #connection: SqliteConnection
  readonly #sql: SqliteStatements
  /** The number after which the next call begins: where the last one met its limit, else 0. */
  #from = 0

  constructor(connection: SqliteConnection, sql: SqliteStatements) {
    this.#connection = connection
    this.#sql = sql
  }

  /**
   * Goes on where the last call met its limit, so that a sweep in many calls reads the table once and not once a call;
   * then around to where it began, so that fewer than `limit` means that it is done.
   */
  async deleteExpired(before: number, limit: number): Promise<number> {
    const from = this.#from
    const deleted = await this.#deleteBetween(from, Number.MAX_SAFE_INTEGER, before, limit)
    if (deleted >= limit || from === 0) return deleted
    return deleted + (await this.#deleteBetween(0, from, before, limit - deleted))
  }

  async #deleteBetween(after: number, to: number, before: number, limit: number): Promise<number> {
    let deleted = 0
    for (;;) {
      const left = limit - deleted
      const row = this.#connection.get(this.#sql.findExpired, before, after, to, pageSize) as ExpiredRow
      const expired = Number(row.expired)
      if (expired > 0) deleted += this.#connection.run(this.#sql.deleteExpired, row.ids, before, left)
      if (deleted >= limit) {
        this.#from = after
        return deleted
      }
      if (Number(row.seen) < pageSize) {
        this.#from = 0
        return deleted
      }
      after = Number(row.last)
      await nextTurn()
    }
  }
}
