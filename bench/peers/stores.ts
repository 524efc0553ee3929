import { Redis } from 'ioredis'
import pg from 'pg'
import { createClient } from 'redis'
import type { PeerSettings } from './peer.js'

/** Connections that each application holds to PostgreSQL: pg's default. */
const poolSize = 10

export function ioredis({ redisUrl }: PeerSettings): Redis {
  return new Redis(redisUrl as string, { maxRetriesPerRequest: 1, commandTimeout: 1_000 })
}

/** The client that connect-redis is written for. */
export async function nodeRedis({ redisUrl }: PeerSettings) {
  return await createClient({ url: redisUrl as string }).connect()
}

export function pool({ postgres }: PeerSettings): pg.Pool {
  return new pg.Pool({ ...postgres, max: poolSize, connectionTimeoutMillis: 1_500 })
}
