import { Redis } from 'ioredis'
import Database from 'libsql'
import pg from 'pg'
import { MemoryStore, type SessionStore } from '../../../lib/index.js'
import { PostgresStore } from '../../../lib/stores/postgres/index.js'
import { RedisStore } from '../../../lib/stores/redis/index.js'
import { SqliteStore } from '../../../lib/stores/sqlite/index.js'

export const storeNames = ['redis', 'postgres', 'sqlite', 'memory'] as const

export type StoreName = (typeof storeNames)[number]

/** Where a store is. */
export interface Place {
  /** Of a server on this machine. */
  readonly port: number
  /** Of a database of SQLite. */
  readonly file: string
  /** Milliseconds for which Redis keeps a session past its deadline. */
  readonly grace: number
}

/** A store with the connection that it needs. */
export interface Backend {
  readonly store: SessionStore
  /** Lets the store grow no more, and then again; only SQLite. */
  limitPages(pages: number): void
  close(): Promise<unknown>
}

/** Milliseconds that the whole process waits for another connection's lock. */
export const busyTimeout = 250
/** More than there are users, so that none waits for another's connection. */
const poolSize = 20

function unlimited(): void {}

async function openRedis({ port, grace }: Place): Promise<Backend> {
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 1, commandTimeout: 4_000 })
  const close = async (): Promise<void> => client.disconnect()
  return { store: new RedisStore(client, { grace }), limitPages: unlimited, close }
}

async function openPostgres({ port }: Place): Promise<Backend> {
  const pool = new pg.Pool({
    host: '127.0.0.1',
    port,
    user: 'postgres',
    database: 'postgres',
    max: poolSize,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: 4_000,
  })
  const store = new PostgresStore(pool)
  await store.migrate()
  // Opened beforehand: over a slow line a handshake takes several times as long as a query.
  await Promise.all(Array.from({ length: poolSize }, () => pool.query('SELECT pg_sleep(0.05)')))
  return { store, limitPages: unlimited, close: () => pool.end() }
}

async function openSqlite({ file }: Place): Promise<Backend> {
  const database = new Database(file)
  const store = new SqliteStore(database, { busyTimeout })
  await store.migrate()
  return {
    store,
    limitPages: (pages) => void database.exec(`PRAGMA max_page_count = ${pages}`),
    close: async () => database.close(),
  }
}

async function openMemory(): Promise<Backend> {
  return { store: new MemoryStore(), limitPages: unlimited, close: async () => {} }
}

const openers: Record<StoreName, (place: Place) => Promise<Backend>> = {
  redis: openRedis,
  postgres: openPostgres,
  sqlite: openSqlite,
  memory: openMemory,
}

export function openBackend(name: StoreName, place: Place): Promise<Backend> {
  return openers[name](place)
}
