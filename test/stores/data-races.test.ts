import { randomUUID } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import t from 'tap'
import { MemoryStore } from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { SqliteStore } from '../../lib/stores/sqlite/index.js'
import { dataRaces } from '../tools/data-races.js'
import { freshStore } from '../tools/postgres-fixtures.js'
import { startPostgres } from '../tools/postgres-server.js'
import { hasRedis, startRedis, startRedisCluster } from '../tools/redis-server.js'
import { connect, makeStore } from './sqlite-fixtures.js'

// All of them first: without a test under way, the file would end while a server starts.
const postgres = await startPostgres(t)
const redis = hasRedis(t) ? { server: await startRedis(t), masters: await startRedisCluster(t) } : null

dataRaces(t, 'memory', async () => {
  const store = new MemoryStore()
  return { stores: [store, store], leftBehind: async () => 0 }
})

dataRaces(t, 'SQLite', async (t) => {
  const { store, database } = await makeStore(t)
  const counted = database.prepare('SELECT count(*) AS count FROM gosesh_session_data')
  return {
    stores: [store, new SqliteStore(connect(t))],
    leftBehind: async () => Number((counted.get() as { count: number | bigint }).count),
  }
})

if (postgres !== null) {
  dataRaces(t, 'PostgreSQL', async (t) => {
    const { store, schema, pool } = await freshStore(t, postgres)
    return {
      stores: [store, new PostgresStore(postgres.pool(t), { schema })],
      async leftBehind() {
        const { rows } = await pool.query(`SELECT count(*) AS count FROM ${schema}.gosesh_session_data`)
        return Number(rows[0].count)
      },
    }
  })
}

if (redis !== null) {
  const { server, masters } = redis
  dataRaces(t, 'Redis', async (t) => {
    const prefix = `${randomUUID()}:`
    const clients = [new Redis(server.port), new Redis(server.port)] as const
    t.teardown(() => Promise.all(clients.map((client) => client.quit())))
    return {
      stores: [new RedisStore(clients[0], { prefix }), new RedisStore(clients[1], { prefix })],
      leftBehind: async () => (await clients[0].keys(`${prefix}data:*`)).length,
    }
  })
  dataRaces(t, 'Redis Cluster', async (t) => {
    const prefix = `${randomUUID()}:`
    const open = () => new Cluster(masters.map(({ host, port }) => ({ host, port })))
    const clients = [open(), open()] as const
    t.teardown(() => Promise.all(clients.map((client) => client.quit())))
    return {
      stores: [new RedisStore(clients[0], { prefix }), new RedisStore(clients[1], { prefix })],
      async leftBehind() {
        const found = await Promise.all(
          clients[0].nodes('master').map((node) => node.keys(`${prefix}data:*`)),
        )
        return found.flat().length
      },
    }
  })
}
