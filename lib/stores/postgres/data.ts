import type { SessionDataLimits, SessionDataStore } from '../../../types/data.js'
import type { SessionId } from '../../../types/session.js'
import type { SessionRecord } from '../../../types/store.js'
import { hasRoom } from '../shared/data.js'
import { type PostgresResult, type Statement, type StatementRunner, statement } from './client.js'
import { toValues } from './codec.js'
import type { TableNames } from './tables.js'

/** The first half of the advisory locks that writers of one session's data take. */
const lockClass = 1_734_767_717

interface DataStatements {
  readonly read: Statement
  readonly keys: Statement
  readonly lock: Statement
  readonly set: Statement
  readonly delete: Statement
}

/**
 * The lock on the session's row keeps it from being deleted until the change is committed, and lets activity pass; the
 * advisory lock makes writers of one session's data take turns, so that each sees what the one before it wrote.
 */
function dataStatements({ sessions, data }: TableNames): DataStatements {
  return {
    // One row for each key, and one without a key for a session without data.
    read: statement(
      'read_data',
      `SELECT d.key, d.value FROM ${sessions} AS s LEFT JOIN ${data} AS d ON d.session_id = s.id
         AND ($2::text[] IS NULL OR d.key = ANY ($2::text[]))
       WHERE s.id = $1::text`,
    ),
    keys: statement(
      'read_data_keys',
      `SELECT key, CASE WHEN key = $2::text THEN value END AS value FROM ${data} WHERE session_id = $1::text`,
    ),
    lock: statement(
      'lock_data',
      `WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(${lockClass}, hashtext($1::text)))
       SELECT s.id FROM turn, ${sessions} AS s WHERE s.id = $1::text FOR KEY SHARE OF s`,
    ),
    set: statement(
      'set_data',
      `INSERT INTO ${data} (session_id, key, value)
       SELECT $1::text, key, value FROM json_each_text($2::json) ORDER BY key
       ON CONFLICT (session_id, key) DO UPDATE SET value = excluded.value`,
    ),
    delete: statement(
      'delete_data',
      `DELETE FROM ${data} WHERE session_id = $1::text AND key = ANY ($2::text[])`,
    ),
  }
}

type Run = (given: Statement, values: unknown[]) => Promise<PostgresResult>

/** What the application keeps with sessions: a row for each key. */
export class PostgresData implements SessionDataStore {
  readonly #runner: StatementRunner
  readonly #statements: DataStatements

  constructor(runner: StatementRunner, tables: TableNames) {
    this.#runner = runner
    this.#statements = dataStatements(tables)
  }

  async readData(id: SessionId, keys: readonly string[] | null): Promise<ReadonlyMap<string, string> | null> {
    const { rows } = await this.#runner.run(this.#statements.read, [id, keys])
    if (rows.length === 0) return null
    const found = rows.filter(({ key }) => key !== null)
    return new Map(found.map(({ key, value }) => [key as string, value as string]))
  }

  async writeData(
    id: SessionId,
    changes: ReadonlyMap<string, string | null>,
    limits: SessionDataLimits,
  ): Promise<'written' | 'full' | 'absent'> {
    return await this.#inTurn(id, null, async (rows, run) =>
      (await this.#change(id, rows, changes, limits, run)) ? 'written' : 'full',
    )
  }

  async swapData(
    id: SessionId,
    key: string,
    expected: string | null,
    next: string | null,
    limits: SessionDataLimits,
  ): Promise<'swapped' | 'conflict' | 'full' | 'absent'> {
    return await this.#inTurn(id, key, async (rows, run) => {
      if ((rows.get(key) ?? null) !== expected) return 'conflict'
      return (await this.#change(id, rows, new Map([[key, next]]), limits, run)) ? 'swapped' : 'full'
    })
  }

  /** A new session with its data, in one transaction; no data if the id exists. */
  async createSession(
    create: Statement,
    record: SessionRecord,
    data: ReadonlyMap<string, string>,
  ): Promise<PostgresResult> {
    return await this.#runner.inTransaction(async (run) => {
      const result = await run(create, toValues(record))
      if (result.rowCount === 1) {
        await run(this.#statements.set, [record.id, JSON.stringify(Object.fromEntries(data))])
      }
      return result
    })
  }

  /** Does the work when it is this writer's turn, with the keys of that moment, and the value of the one that is named. */
  async #inTurn<T>(
    id: SessionId,
    key: string | null,
    work: (rows: ReadonlyMap<string, string | null>, run: Run) => Promise<T>,
  ): Promise<T | 'absent'> {
    return await this.#runner.inTransaction(async (run) => {
      const { rows: locked } = await run(this.#statements.lock, [id])
      if (locked.length === 0) return 'absent'
      const { rows } = await run(this.#statements.keys, [id, key])
      return await work(new Map(rows.map(({ key, value }) => [key as string, value as string | null])), run)
    })
  }

  async #change(
    id: SessionId,
    rows: ReadonlyMap<string, string | null>,
    changes: ReadonlyMap<string, string | null>,
    limits: SessionDataLimits,
    run: Run,
  ): Promise<boolean> {
    if (!hasRoom(rows, changes, limits)) return false
    const entries = [...changes]
    const set = entries.filter(([, value]) => value !== null)
    const gone = entries.filter(([, value]) => value === null).map(([key]) => key)
    if (set.length > 0) await run(this.#statements.set, [id, JSON.stringify(Object.fromEntries(set))])
    if (gone.length > 0) await run(this.#statements.delete, [id, gone])
    return true
  }
}
