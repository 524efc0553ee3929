import { randomUUID } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import t, { type Test } from 'tap'
import { RedisStore, type RedisStoreClient } from '../../lib/stores/redis/index.js'
import {
  deviceCodeStoreContract,
  revocationLogContract,
  sessionDataStoreContract,
  sessionStoreContract,
} from '../../lib/testing/index.js'
import type { RevocationLog } from '../../types/revocation-log.js'
import { hasRedis, startRedis, startRedisCluster } from '../tools/redis-server.js'

function contract(t: Test, client: RedisStoreClient): void {
  const createStore = (): RedisStore => new RedisStore(client, { prefix: `${randomUUID()}:` })
  sessionStoreContract({
    test: (name, run) => t.test(name, run),
    capabilities: [
      'batchRecordActivity',
      'listUserSessions',
      'deleteAllSessions',
      'deleteSessionsByMetadata',
      'updateSession',
      'deleteUser',
    ],
    createStore,
  })
  deviceCodeStoreContract({ test: (name, run) => t.test(name, run), createStore })
  sessionDataStoreContract({ test: (name, run) => t.test(name, run), createStore })
  if (createStore().isCluster) return
  revocationLogContract({
    test: (name, run) => t.test(name, run),
    createStore: () => createStore() as RedisStore & RevocationLog,
  })
}

if (hasRedis(t)) {
  const server = await startRedis(t)
  const nodes = await startRedisCluster(t)

  t.test('ioredis', async (t) => {
    const client = new Redis(server.port)
    t.teardown(() => client.quit())
    contract(t, client)
  })

  t.test('ioredis with a keyPrefix', async (t) => {
    const client = new Redis(server.port, { keyPrefix: 'app[*]:' })
    t.teardown(() => client.quit())
    contract(t, client)
  })

  t.test('ioredis Cluster', async (t) => {
    const client = new Cluster(nodes.map(({ host, port }) => ({ host, port })))
    t.teardown(() => client.quit())
    contract(t, client)
  })

  t.test('node-redis', async (t) => {
    const client = await createClient({ url: server.url }).connect()
    t.teardown(() => client.close())
    contract(t, client)
  })

  t.test('node-redis with RESP2 and a keyPrefix', async (t) => {
    const client = await createClient({ url: server.url, RESP: 2, keyPrefix: 'app:' }).connect()
    t.teardown(() => client.close())
    contract(t, client)
  })

  t.test('node-redis cluster', async (t) => {
    const client = await createCluster({ rootNodes: nodes.map(({ url }) => ({ url })) }).connect()
    t.teardown(() => client.close())
    contract(t, client)
  })
}
