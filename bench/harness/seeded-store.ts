import { join } from 'node:path'
import { Redis } from 'ioredis'
import Database from 'libsql'
import pg from 'pg'
import { MemoryStore, type SessionId, type SessionStore } from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { SqliteStore } from '../../lib/stores/sqlite/index.js'
import { idOf, seedPostgres, seedRedis, seedStore } from './seed.js'
import type { Stores } from './servers.js'

export type SeededStoreName = 'memory' | 'sqlite' | 'postgres' | 'redis'

/** A store, what fills it quickly, and the write of a flush made by hand with the client alone. */
export interface SeededStore {
  readonly store: SessionStore
  seed(from: number, to: number): Promise<void>
  writeByHand(batch: readonly SessionId[], at: Date): Promise<unknown>
  /** Runs SQL, of a store that knows it. */
  execute?(sql: string): Promise<unknown>
  close(): Promise<unknown>
}

export interface SeededStoreSettings extends Stores {
  readonly store: SeededStoreName
  readonly folder?: string
}

const halfAnHour = 30 * 60_000

function memory(): SeededStore {
  const store = new MemoryStore()
  const bare = new Map<SessionId, { lastActivityAt: number; idleDeadline: number }>()
  return {
    store,
    async seed(from, to) {
      await seedStore(store, from, to)
      for (let i = from; i < to; i++) bare.set(idOf(i), { lastActivityAt: 0, idleDeadline: 0 })
    },
    async writeByHand(batch, at) {
      const time = at.getTime()
      for (const id of batch) {
        const session = bare.get(id)
        if (session === undefined) continue
        session.lastActivityAt = time
        session.idleDeadline = time + halfAnHour
      }
    },
    close: async () => {},
  }
}

async function sqlite({ folder }: SeededStoreSettings): Promise<SeededStore> {
  const database = new Database(join(folder as string, 'sessions.db'))
  const store = new SqliteStore(database)
  await store.migrate()
  const update = database.prepare(
    'UPDATE gosesh_sessions SET last_activity_at = ?, idle_deadline = ? WHERE id = ?',
  )
  const inTransaction = async (work: () => unknown): Promise<void> => {
    database.exec('BEGIN IMMEDIATE')
    await work()
    database.exec('COMMIT')
  }
  return {
    store,
    seed: (from, to) => inTransaction(() => seedStore(store, from, to)),
    writeByHand: (batch, at) =>
      inTransaction(() => {
        for (const id of batch) update.run(at.getTime(), at.getTime() + halfAnHour, id)
      }),
    execute: async (sql) => database.exec(sql),
    close: async () => database.close(),
  }
}

async function postgres(settings: SeededStoreSettings): Promise<SeededStore> {
  const pool = new pg.Pool(settings.postgres)
  const store = new PostgresStore(pool)
  await store.migrate()
  const text = `UPDATE gosesh_sessions AS s SET last_activity_at = v.at, idle_deadline = v.deadline
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS v (id, at, deadline) WHERE s.id = v.id`
  return {
    store,
    seed: (from, to) => seedPostgres(pool, from, to),
    writeByHand(batch, at) {
      const deadline = new Date(at.getTime() + halfAnHour).toISOString()
      const values = [batch, batch.map(() => at.toISOString()), batch.map(() => deadline)]
      return pool.query({ name: 'by_hand', text, values })
    },
    execute: (sql) => pool.query(sql),
    close: () => pool.end(),
  }
}

/** By hand, the whole value of each session is set anew, under a key of its own and with the same expiry. */
async function redis({ redisUrl }: SeededStoreSettings): Promise<SeededStore> {
  const client = new Redis(redisUrl as string)
  const value = 'x'.repeat(150)
  return {
    store: new RedisStore(client),
    seed: (from, to) => seedRedis(client, from, to),
    writeByHand(batch, at) {
      const pipeline = client.pipeline()
      for (const id of batch) pipeline.set(`by-hand:${id}`, value, 'PXAT', at.getTime() + halfAnHour)
      return pipeline.exec()
    },
    close: () => client.quit(),
  }
}

const open: Record<SeededStoreName, (settings: SeededStoreSettings) => SeededStore | Promise<SeededStore>> = {
  memory,
  sqlite,
  postgres,
  redis,
}

export async function openSeededStore(settings: SeededStoreSettings): Promise<SeededStore> {
  return await open[settings.store](settings)
}
