import { hash } from 'node:crypto'
import { GoseshError } from '../../core/errors.js'

/** A row of the store's own statements: every column is cast to text, so no type parser has a say in it. */
export type TextRow = Readonly<Record<string, string | null>>

export interface PostgresQuery {
  /** The name under which a connection keeps the statement prepared. */
  readonly name?: string
  readonly text: string
  readonly values: unknown[]
  /** Parsers for this query alone, in place of those that an application set for all. */
  readonly types: { getTypeParser(): (value: string) => string }
}

export interface PostgresResult {
  readonly rows: TextRow[]
  readonly rowCount: number | null
}

/** The part of a client of `pg` that the store uses. */
export interface PostgresClient {
  query(query: PostgresQuery): Promise<PostgresResult>
  release(destroy?: Error | boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
}

/** The part of `pg`'s `Pool` that the store uses. */
export interface PostgresPool {
  /** Connections that are open: what tells a `Pool` from a `Client`. */
  readonly totalCount: number
  query(query: PostgresQuery): Promise<PostgresResult>
  connect(): Promise<PostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  listenerCount(event: 'error'): number
}

export interface Statement {
  readonly name: string
  readonly text: string
}

/** How often a statement is sent that the server rolls back in favour of another. */
const maxTries = 5
/** The statement was rolled back as a whole, and may succeed at once. */
const deadlock = '40P01'
/** Above `READ COMMITTED`: a row was changed meanwhile. Whoever tries again may meet the next change. */
const serializationFailure = '40001'
/** Undefined table, schema and column. */
const schemaMissing: ReadonlySet<unknown> = new Set(['42P01', '3F000', '42703'])

// `String` reads a column in pg's binary mode as well, where it is a Buffer.
const asText: PostgresQuery['types'] = { getTypeParser: () => String }

/** A statement whose name is unique to its text: stores with other tables, or of another version, have others. */
export function statement(operation: string, text: string): Statement {
  return { name: `gosesh_${operation}_${hash('sha256', text).slice(0, 16)}`, text }
}

/** A query that is not kept prepared. */
export function plainQuery(text: string, values: unknown[] = []): PostgresQuery {
  return { text, values, types: asText }
}

function sqlState(error: unknown): unknown {
  return (error as { readonly code?: unknown } | null)?.code
}

/** What a failure of the server is to a caller; what the server said is the cause. */
export function storeError(cause: unknown): GoseshError {
  const missing = schemaMissing.has(sqlState(cause))
  return new GoseshError(missing ? 'GOSESH_ERR_STORE_SCHEMA' : 'GOSESH_ERR_STORE_UNAVAILABLE', { cause })
}

/** True if the server could not read the text of a value, by what `storeError` made of that. */
export function isInvalidText(error: unknown): boolean {
  return sqlState((error as Error).cause) === '22P02'
}

export function isDuplicateTable(error: unknown): boolean {
  return sqlState(error) === '42P07'
}

/**
 * Runs `work` on a connection of its own, in a transaction whose every statement sees what is committed by then, whatever
 * isolation the database or the role has by default.
 */
export async function inReadCommitted<T>(
  pool: PostgresPool,
  work: (client: PostgresClient) => Promise<T>,
): Promise<T> {
  // A connection that is lost is reported twice: to the query that was running, and here.
  const ignore = (): void => {}
  let client: PostgresClient | undefined
  let failed = true
  try {
    client = await pool.connect()
    client.on('error', ignore)
    await client.query(plainQuery('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE'))
    const result = await work(client)
    await client.query(plainQuery('COMMIT'))
    failed = false
    return result
  } finally {
    client?.removeListener('error', ignore)
    // A connection with a failure behind it is closed, and the server rolls its transaction back.
    client?.release(failed)
  }
}

/** Runs statements, each in a transaction of its own. */
export class StatementRunner {
  readonly #pool: PostgresPool
  readonly #prepared: boolean

  constructor(pool: PostgresPool, prepared: boolean) {
    this.#pool = pool
    this.#prepared = prepared
  }

  /** Rejects with `GOSESH_ERR_STORE_SCHEMA` if the tables are not there, else `GOSESH_ERR_STORE_UNAVAILABLE`. */
  run(given: Statement, values: unknown[]): Promise<PostgresResult> {
    return this.#send(this.#queryOf(given, values))
  }

  /** Runs a statement that answers with one row. */
  async one(given: Statement, values: unknown[]): Promise<TextRow> {
    const { rows } = await this.run(given, values)
    return rows[0] as TextRow
  }

  /**
   * Runs statements one after another in one transaction, which sees what others commit meanwhile. The work is done anew if the
   * server rolls it back in favour of another.
   */
  async inTransaction<T>(
    work: (run: (given: Statement, values: unknown[]) => Promise<PostgresResult>) => Promise<T>,
  ): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await inReadCommitted(this.#pool, (client) =>
          work((given, values) => client.query(this.#queryOf(given, values))),
        )
      } catch (error) {
        if (tries === maxTries || sqlState(error) !== deadlock) throw storeError(error)
      }
    }
  }

  #queryOf({ name, text }: Statement, values: unknown[]): PostgresQuery {
    return this.#prepared ? { name, text, values, types: asText } : plainQuery(text, values)
  }

  async #send(query: PostgresQuery): Promise<PostgresResult> {
    let send = (): Promise<PostgresResult> => this.#pool.query(query)
    for (let tries = 1; ; tries++) {
      try {
        return await send()
      } catch (error) {
        const state = sqlState(error)
        if (tries === maxTries || (state !== deadlock && state !== serializationFailure))
          throw storeError(error)
        if (state === deadlock) continue
        send = () => inReadCommitted(this.#pool, (client) => client.query(query))
      }
    }
  }
}
