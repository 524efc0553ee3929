import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import pg from 'pg'
import type { Test } from 'tap'
import gosesh, { type SessionId } from '../../../lib/index.js'
import type { PostgresServer } from '../../tools/postgres-server.js'
import { eventually, type RedisServer, startRedis } from '../../tools/redis-server.js'
import { type Ground, startGround } from './ground.js'
import type { NodeCommand, NodeReport, NodeSettings } from './staleness-node.js'

/** Revocations in the first second of the fault are spread over so many milliseconds. */
const spread = 600

/** Kills the server once its replica has all of it, and resolves the port of that, which takes its place. */
type Promotion = () => Promise<number>

interface Scene {
  readonly t: Test
  readonly ground: Ground
  readonly node: ChildProcess
  readonly store: 'redis' | 'postgres'
}

interface Fault {
  readonly what: string
  /** Resolves when it is over; `revoked`: when the sessions are. */
  readonly run: (scene: Scene, revoked: Promise<void>, promote: Promotion) => Promise<void>
  /** Before there are sessions. */
  readonly prepare?: (scene: Omit<Scene, 'node'>) => Promise<Promotion>
}

function proxyOf({ ground }: Scene): NonNullable<Ground['proxy']> {
  return ground.proxy as NonNullable<Ground['proxy']>
}

function serverOf({ ground }: Scene): NonNullable<Ground['server']> {
  return ground.server as NonNullable<Ground['server']>
}

async function redisReplica(t: Test, ground: Ground): Promise<Promotion> {
  const primary = ground.server as RedisServer
  const replica = await startRedis(t, {})
  await replica.command('REPLICAOF', '127.0.0.1', String(primary.port))
  const offset = async (server: RedisServer, name: string): Promise<number> => {
    const info = await server.command('INFO', 'replication')
    return Number(new RegExp(`${name}_repl_offset:(\\d+)`).exec(info)?.[1])
  }
  return async () => {
    const all = await offset(primary, 'master')
    await eventually('the replica has it all', async () => (await offset(replica, 'slave')) >= all)
    await primary.kill()
    await replica.command('REPLICAOF', 'NO', 'ONE')
    return replica.port
  }
}

async function postgresStandby(t: Test, ground: Ground): Promise<Promotion> {
  const primary = ground.server as PostgresServer
  const standby = await primary.startStandby(t)
  return async () => {
    const lsn = await valueOn<string>(primary, 'SELECT pg_current_wal_flush_lsn()::text')
    const hasAll = `SELECT pg_last_wal_replay_lsn() >= '${lsn}'`
    await eventually('the standby has it all', () => valueOn<boolean>(standby, hasAll))
    await primary.kill()
    await valueOn(standby, 'SELECT pg_promote()')
    return standby.port
  }
}

/** The value that the query selects. */
async function valueOn<T>(server: PostgresServer, text: string): Promise<T> {
  const client = new pg.Client(server.connection)
  await client.connect()
  try {
    const { rows } = await client.query({ text, rowMode: 'array' })
    return rows[0]?.[0]
  } finally {
    await client.end()
  }
}

async function repeatFor(ms: number, every: number, act: (round: number) => void): Promise<void> {
  for (let round = 0; round * every < ms; round++) {
    act(round)
    await delay(every)
  }
}

export const stalenessFaults = {
  none: { what: 'nothing', run: async () => {} },
  frozen: {
    what: 'the link stands still for 4 s',
    async run(scene) {
      proxyOf(scene).pause()
      await delay(4_000)
      proxyOf(scene).resume()
    },
  },
  cut: {
    what: 'the link is cut every 30 ms, for 3 s',
    run: (scene) => repeatFor(3_000, 30, () => proxyOf(scene).dropAll()),
  },
  flapping: {
    what: 'the link stands still every other 150 ms, for 3 s',
    async run(scene) {
      const proxy = proxyOf(scene)
      await repeatFor(3_000, 150, (round) => (round % 2 === 0 ? proxy.pause() : proxy.resume()))
      proxy.resume()
    },
  },
  stopped: {
    what: 'the node is stopped for 3 s (SIGSTOP)',
    async run({ node }) {
      node.kill('SIGSTOP')
      await delay(3_000)
      node.kill('SIGCONT')
    },
  },
  killed: {
    what: 'the store is killed after the revocations, and restarted',
    async run(scene, revoked) {
      await revoked
      await serverOf(scene).kill()
      await serverOf(scene).start()
    },
  },
  backend: {
    what: 'the connections of the store, or one of its processes, are killed',
    async run({ ground, store }, revoked) {
      await revoked
      const server = ground.server as unknown as {
        command(...args: string[]): Promise<string>
        connection: pg.ClientConfig
      }
      if (store === 'redis') return void (await server.command('CLIENT', 'KILL', 'TYPE', 'normal'))
      const client = new pg.Client(server.connection)
      client.on('error', () => {})
      await client.connect()
      const { rows } = await client.query<{ pid: number }>(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1",
      )
      for (const { pid } of rows) process.kill(pid, 'SIGKILL')
      await client.end().catch(() => {})
    },
  },
  failover: {
    what: 'the store dies after the revocations, and a replica takes its place',
    prepare: ({ t, ground, store }) => (store === 'redis' ? redisReplica : postgresStandby)(t, ground),
    async run(scene, revoked, promote) {
      await revoked
      proxyOf(scene).target = await promote()
      proxyOf(scene).dropAll()
    },
  },
} as const satisfies Record<string, Fault>

export type StalenessFault = keyof typeof stalenessFaults

/** Milliseconds from the acknowledgement of a revocation to its session's last acceptance by the other node; at least 0. */
export interface Staleness {
  readonly fault: StalenessFault
  readonly store: 'redis' | 'postgres'
  readonly maxStaleness: number
  readonly sessions: number
  readonly median: number
  readonly max: number
  readonly hits: number
}

async function startNode(t: Test, program: string, settings: NodeSettings): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_SETTINGS: JSON.stringify(settings) },
  })
  t.teardown(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

async function reportOf(node: ChildProcess): Promise<NodeReport> {
  const answer = once(node, 'message') as Promise<[NodeReport]>
  node.send({ kind: 'report' } satisfies NodeCommand)
  const [report] = await answer
  return report
}

/** When each token was revoked, by its token. */
async function revokeAll(
  app: FastifyInstance,
  sessions: readonly { id: SessionId; token: string }[],
): Promise<Map<string, number>> {
  const revokedAt = new Map<string, number>()
  for (const { id, token } of sessions) {
    await app.gosesh.deleteSession(id)
    revokedAt.set(token, Date.now())
    await delay(spread / sessions.length)
  }
  return revokedAt
}

async function noReplica(): Promise<never> {
  throw new Error('the fault has no replica')
}

/** Two nodes, one fault; the node in the other process has its sessions in memory when they are revoked here. */
export async function measureStaleness(
  t: Test,
  store: 'redis' | 'postgres',
  fault: StalenessFault,
  { program, count, maxStaleness }: { program: string; count: number; maxStaleness: number },
): Promise<Staleness | null> {
  const ground = await startGround(t, store)
  const backend = await ground?.open()
  if (!ground || !backend) return null
  t.teardown(() => backend.close())
  const { run, prepare }: Fault = stalenessFaults[fault]
  const promote = (await prepare?.({ t, ground, store })) ?? noReplica
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { store: backend.store, sessionCache: { maxSessions: 0 } })
  await app.ready()
  const node = await startNode(t, program, { store, maxStaleness, ...ground.place })
  const sessions = []
  for (let i = 0; i < count; i++) {
    const { session, token } = await app.gosesh.createSession(`user-${i}`)
    sessions.push({ id: session.id, token: token as string })
  }
  node.send({ kind: 'watch', tokens: sessions.map(({ token }) => token) } satisfies NodeCommand)
  await eventually('every session is in memory', async () => {
    const { lastAccepted, hits } = await reportOf(node)
    return Object.keys(lastAccepted).length === count && hits > 3 * count
  })
  const revoking = revokeAll(app, sessions)
  await run(
    { t, ground, node, store },
    revoking.then(() => {}),
    promote,
  )
  const revokedAt = await revoking
  await delay(maxStaleness + 700)
  const { lastAccepted, hits } = await reportOf(node)
  const times = sessions
    .map(({ token }) => Math.max(0, Number(lastAccepted[token]) - Number(revokedAt.get(token))))
    .sort((a, b) => a - b)
  const median = times[Math.floor(times.length / 2)] as number
  node.kill('SIGKILL')
  return { fault, store, maxStaleness, sessions: count, median, max: times.at(-1) as number, hits }
}
