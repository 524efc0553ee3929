import { once } from 'node:events'
import { Cluster } from 'ioredis'
import t, { type Test } from 'tap'
import { type IoredisCluster, RedisStore } from '../../lib/stores/redis/index.js'
import { newSession } from '../../lib/testing/fixtures.js'
import type { SessionRecord } from '../../types/store.js'
import { hasRedis, type RedisServer, startRedisCluster } from '../tools/redis-server.js'

/** Moves the slot of a key, and all keys in it, as a reshard does. */
async function moveSlotOf(key: string, from: RedisServer, to: RedisServer): Promise<void> {
  const slot = await from.command('CLUSTER', 'KEYSLOT', key)
  const [fromId, toId] = await Promise.all([from, to].map((server) => server.command('CLUSTER', 'MYID')))
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId as string)
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId as string)
  const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, '100')).split('\n')
  await from.command('MIGRATE', to.host, String(to.port), '', '0', '5000', 'KEYS', ...keys)
  for (const server of [to, from]) await server.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId as string)
}

/** A session that lies on the server, as does the index of its user; with both keys. */
async function sessionOn(server: RedisServer, store: RedisStore): Promise<[SessionRecord, string[]]> {
  for (let user = 0; ; user++) {
    const session = newSession({ userId: `user-${user}` })
    await store.createSession(session)
    const keys = (await server.command('KEYS', '*')).split('\n')
    if (keys.length === 2) return [session, keys]
    await store.deleteSession(session.id)
  }
}

async function connect(t: Test, [server]: readonly RedisServer[]): Promise<Cluster> {
  const { host, port } = server as RedisServer
  const client = new Cluster([{ host, port }])
  t.teardown(() => client.quit())
  await once(client, 'ready')
  return client
}

/** A store on the cluster that waits for `beforePage` before it asks a master for a page of keys. */
function storeWith(client: Cluster, beforePage: (pattern: string) => Promise<void>): RedisStore {
  const stand: IoredisCluster = {
    evalsha: (...args) => client.evalsha(...args),
    eval: (...args) => client.eval(...args),
    get: (key) => client.get(key),
    on: () => {},
    listenerCount: () => 1,
    nodes: (role) =>
      client.nodes(role).map((node) => ({
        async scan(cursor, match, pattern, ...count) {
          await beforePage(pattern)
          return await node.scan(cursor, match, pattern, ...count)
        },
      })),
  }
  return new RedisStore(stand)
}

function reshardTests(servers: readonly RedisServer[]): void {
  t.test(
    'a session that moves to a master that was scanned already is deleted with all others',
    async (t) => {
      const client = await connect(t, servers)
      const store = new RedisStore(client)
      const [first, last] = [0, 2].map((i) => {
        const port = client.nodes('master')[i]?.options.port
        return servers.find((server) => server.port === port)
      }) as [RedisServer, RedisServer]
      const [session, keys] = await sessionOn(last, store)
      const moves = new Map(keys.map((key) => [`${/^gosesh:[a-z-]+:/.exec(key)}*`, key]))
      const pages = new Map<string, number>()
      const resharded = storeWith(client, async (pattern) => {
        pages.set(pattern, (pages.get(pattern) ?? 0) + 1)
        // One page for each master, one after another: the third is that of the last one.
        if (pages.get(pattern) === 3) await moveSlotOf(moves.get(pattern) as string, last, first)
      })
      t.equal(moves.size, 2, 'the session and the index of its user')
      t.equal(await resharded.deleteAllSessions(), 1)
      t.equal(await store.getSession(session.id), null)
      t.equal(await first.command('DBSIZE'), '0')
    },
  )

  t.test('sign-ins meanwhile do not keep it going', async (t) => {
    const client = await connect(t, servers)
    const store = new RedisStore(client)
    await store.createSession(newSession())
    let signIns = 0
    const busy = storeWith(client, async (pattern) => {
      if (!pattern.startsWith('gosesh:session:')) return
      if (++signIns > 100) throw new Error('it does not end')
      await store.createSession(newSession())
    })
    t.ok((await busy.deleteAllSessions()) >= 1)
    t.equal(signIns, 30, 'ten passes, of a page for each master')
  })
}

if (hasRedis(t)) reshardTests(await startRedisCluster(t))
