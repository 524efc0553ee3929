import { randomUUID } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import t from 'tap'
import { MemoryStore } from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { SqliteStore } from '../../lib/stores/sqlite/index.js'
import { deviceRaces } from '../tools/device-races.js'
import { freshStore } from '../tools/postgres-fixtures.js'
import { startPostgres } from '../tools/postgres-server.js'
import { hasRedis, startRedis, startRedisCluster } from '../tools/redis-server.js'
import { connect, makeStore } from './sqlite-fixtures.js'

// All of them first: without a test under way, the file would end while a server starts.
const postgres = await startPostgres(t)
const redis = hasRedis(t) ? { server: await startRedis(t), masters: await startRedisCluster(t) } : null

deviceRaces(t, 'memory', async () => {
  const store = new MemoryStore()
  return [store, store]
})

deviceRaces(t, 'SQLite', async (t) => {
  const { store } = await makeStore(t)
  return [store, new SqliteStore(connect(t))]
})

if (postgres !== null) {
  deviceRaces(t, 'PostgreSQL', async (t) => {
    const { store, schema } = await freshStore(t, postgres)
    return [store, new PostgresStore(postgres.pool(t), { schema })]
  })
}

if (redis !== null) {
  const { server, masters } = redis
  deviceRaces(t, 'Redis', async (t) => {
    const prefix = `${randomUUID()}:`
    const clients = [new Redis(server.port), new Redis(server.port)] as const
    t.teardown(() => Promise.all(clients.map((client) => client.quit())))
    return [new RedisStore(clients[0], { prefix }), new RedisStore(clients[1], { prefix })]
  })
  deviceRaces(t, 'Redis Cluster', async (t) => {
    const prefix = `${randomUUID()}:`
    const open = () => new Cluster(masters.map(({ host, port }) => ({ host, port })))
    const clients = [open(), open()] as const
    t.teardown(() => Promise.all(clients.map((client) => client.quit())))
    return [new RedisStore(clients[0], { prefix }), new RedisStore(clients[1], { prefix })]
  })
}
