// @ts-check

import { PostgresStore } from 'gosesh/postgres'
import { RedisStore } from 'gosesh/redis'
import { Redis } from 'ioredis'
import pg from 'pg'
import { startExample } from './scene.js'

// A node of the example in a process of its own, on the store of a server; ended with the process that started it.
const { REDIS_URL, POSTGRES_URL } = process.env
const store =
  REDIS_URL === undefined
    ? new PostgresStore(new pg.Pool({ connectionString: POSTGRES_URL }))
    : new RedisStore(new Redis(REDIS_URL))
const { origin } = await startExample({ store })
process.on('disconnect', () => process.exit())
process.send?.(origin)
