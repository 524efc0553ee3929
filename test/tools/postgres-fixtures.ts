import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import type { Test } from 'tap'
import { PostgresStore, type PostgresStoreOptions } from '../../lib/stores/postgres/index.js'
import { quoteIdentifier } from '../../lib/stores/postgres/tables.js'
import type { SessionRecord } from '../../types/store.js'
import type { PostgresServer } from './postgres-server.js'

export interface Fixture {
  readonly pool: pg.Pool
  readonly store: PostgresStore
  readonly schema: string
  /** The table of sessions, quoted. */
  readonly sessions: string
}

export function newSchema(): string {
  return `test_${randomBytes(6).toString('hex')}`
}

/** A store with tables of its own, and its pool. */
export async function freshStore(
  t: Test,
  server: PostgresServer,
  config: pg.PoolConfig = {},
  options: PostgresStoreOptions = {},
): Promise<Fixture> {
  const pool = server.pool(t, config)
  const schema = newSchema()
  const store = new PostgresStore(pool, { schema, ...options })
  await store.migrate()
  return { pool, store, schema, sessions: `${quoteIdentifier(schema)}.gosesh_sessions` }
}

/** Inserts sessions by one statement, which a store has no reason to do. */
export async function insertSessions(
  { pool, sessions: table }: Fixture,
  given: readonly SessionRecord[],
): Promise<void> {
  const iso = (date: Date | null): string | null => date?.toISOString() ?? null
  await pool.query(
    `INSERT INTO ${table}
       (id, user_id, created_at, last_activity_at, absolute_deadline, idle_deadline, idle_timeout,
        authenticated_at, absolute_timeout, secret_hash, version, persistent, device_bound)
     SELECT *, 1, true, false
     FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],
                 $6::timestamptz[], $7::bigint[], $8::timestamptz[], $9::bigint[], $10::text[])`,
    [
      given.map(({ id }) => id),
      given.map(({ userId }) => userId),
      given.map(({ createdAt }) => iso(createdAt)),
      given.map(({ lastActivityAt }) => iso(lastActivityAt)),
      given.map(({ absoluteDeadline }) => iso(absoluteDeadline)),
      given.map(({ idleDeadline }) => iso(idleDeadline)),
      given.map(({ idleTimeout }) => idleTimeout),
      given.map(({ authenticatedAt }) => iso(authenticatedAt)),
      given.map(({ absoluteTimeout }) => absoluteTimeout),
      given.map(({ secretHash }) => secretHash),
    ],
  )
}

/** Resolves once `condition` does to true: for what a server tells only when asked. */
export async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 15_000; Date.now() < end; await delay(20)) {
    if (await condition()) return
  }
  throw new Error(`waited in vain until ${what}`)
}

/** Resolves once a backend of the pool's server waits for a lock, or whatever else `event` names. */
export async function untilWaiting(pool: pg.Pool, event = 'Lock'): Promise<void> {
  await until(`a backend waits for ${event}`, async () => {
    const { rowCount } = await pool.query(
      'SELECT FROM pg_stat_activity WHERE wait_event_type = $1 OR wait_event = $1',
      [event],
    )
    return (rowCount ?? 0) > 0
  })
}

export async function tablesOf(pool: pg.Pool, schema: string): Promise<string[]> {
  const { rows } = await pool.query('SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY 1', [
    schema,
  ])
  return rows.map(({ tablename }) => tablename)
}
