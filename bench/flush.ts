import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Fastify from 'fastify'
import { Redis } from 'ioredis'
import Database from 'libsql'
import pg from 'pg'
import type { Test } from 'tap'
import gosesh, {
  type ActivityTracker,
  type Session,
  type SessionId,
  type SessionStore,
} from '../lib/index.js'
import { PostgresStore } from '../lib/stores/postgres.js'
import { RedisStore } from '../lib/stores/redis.js'
import { SqliteStore } from '../lib/stores/sqlite.js'
import { createToken, sessionIdOf } from '../lib/token.js'
import { startPostgres } from '../test/integration/postgres-server.js'
import { startRedis } from '../test/integration/redis-server.js'

const count = 100_000
const batchSize = 5_000
const rounds = 5
const hour = 3_600_000
const start = Date.now()

/** A store, and the same write made by hand with the client alone. */
interface Candidate {
  readonly name: string
  readonly store: SessionStore
  writeByHand(ids: readonly SessionId[], at: Date): Promise<void> | void
}

interface Run {
  readonly ms: number
  /** The longest that the event loop was held. */
  readonly heldMs: number
}

function newSession(index: number): Session {
  return {
    id: sessionIdOf(createToken()),
    userId: `user-${index}`,
    createdAt: new Date(start),
    lastActivityAt: new Date(start),
    idleTimeout: hour,
    idleDeadline: new Date(start + hour),
    absoluteDeadline: new Date(start + 24 * hour),
    metadata: { client: 'Firefox on Linux' },
  }
}

async function measure(work: () => Promise<void>): Promise<Run> {
  globalThis.gc?.()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const started = performance.now()
  await work()
  const ms = performance.now() - started
  await new Promise((resolve) => setTimeout(resolve, 5))
  delay.disable()
  return { ms, heldMs: delay.max / 1e6 }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number
}

async function compare({ name, store, writeByHand }: Candidate): Promise<void> {
  const sessions = Array.from({ length: count }, (_, index) => newSession(index))
  for (let i = 0; i < count; i += 500) {
    await Promise.all(sessions.slice(i, i + 500).map((session) => store.createSession(session)))
  }
  const ids = sessions.map(({ id }) => id)
  const app = Fastify()
  const activityTracking = { flushInterval: 2 ** 31 - 1, flushTimeout: 60_000, maxBatchSize: batchSize }
  await app.register(gosesh, { store, activityTracking })
  await app.ready()
  const tracker = app.gosesh.activityTracker as ActivityTracker
  const [ours, byHand]: [Run[], Run[]] = [[], []]
  for (let round = 1; round <= rounds; round++) {
    const at = new Date(start - 1_000 + round)
    for (const id of ids) tracker.recordActivity(id, new Date(Date.now()))
    // Which of the two goes first changes from round to round.
    if (round % 2 === 0) ours.push(await measure(() => tracker.flush()))
    byHand.push(await measure(async () => await writeByHand(ids, at)))
    if (round % 2 === 1) ours.push(await measure(() => tracker.flush()))
  }
  await app.close()
  const ratio = median(ours.map(({ ms }, index) => ms / (byHand[index] as Run).ms))
  const part = (runs: readonly Run[]): string => {
    const held = Math.max(...runs.map(({ heldMs }) => heldMs))
    return `${median(runs.map(({ ms }) => ms))
      .toFixed(0)
      .padStart(5)} ms, event loop held ${held.toFixed(0).padStart(3)} ms at most`
  }
  console.log(`  ${name.padEnd(20)} ${part(ours)};  by hand ${part(byHand)};  ratio ${ratio.toFixed(2)}`)
}

function* batches(ids: readonly SessionId[]): Generator<readonly SessionId[]> {
  for (let i = 0; i < ids.length; i += batchSize) yield ids.slice(i, i + batchSize)
}

async function sqlite(folder: string): Promise<Candidate> {
  const database = new Database(join(folder, 'sessions.db'))
  const store = new SqliteStore(database)
  await store.migrate()
  const update = database.prepare(
    'UPDATE gosesh_sessions SET last_activity_at = ?, idle_deadline = ? WHERE id = ?',
  )
  return {
    name: 'SQLite (libsql)',
    store,
    async writeByHand(ids, at) {
      for (const batch of batches(ids)) {
        database.exec('BEGIN IMMEDIATE')
        for (const id of batch) update.run(at.getTime(), at.getTime() + hour, id)
        database.exec('COMMIT')
        await new Promise(setImmediate)
      }
    },
  }
}

async function postgres(pool: pg.Pool): Promise<Candidate> {
  const store = new PostgresStore(pool)
  await store.migrate()
  const text = `UPDATE gosesh_sessions AS s SET last_activity_at = v.at, idle_deadline = v.deadline
    FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) AS v (id, at, deadline) WHERE s.id = v.id`
  return {
    name: 'PostgreSQL (pg)',
    store,
    async writeByHand(ids, at) {
      const deadline = new Date(at.getTime() + hour)
      for (const batch of batches(ids)) {
        const values = [batch, batch.map(() => at.toISOString()), batch.map(() => deadline.toISOString())]
        await pool.query({ name: 'by_hand', text, values })
      }
    },
  }
}

/** By hand, the whole value of each session is set anew, under a key of its own and with the same expiry. */
function redis(client: Redis): Candidate {
  const value = 'x'.repeat(300)
  return {
    name: 'Redis (ioredis)',
    store: new RedisStore(client),
    async writeByHand(ids, at) {
      for (const batch of batches(ids)) {
        const pipeline = client.pipeline()
        for (const id of batch) pipeline.set(`by-hand:${id}`, value, 'PXAT', at.getTime() + hour)
        await pipeline.exec()
      }
    },
  }
}

/** A flush of 100,000 pending sessions on each store, beside the same write made by hand with the client alone. */
export async function flushSection(): Promise<void> {
  console.log(
    `A flush of ${count.toLocaleString('en')} pending sessions, in batches of ${batchSize.toLocaleString('en')}`,
  )
  const undo: (() => unknown)[] = []
  // What the test servers want of a test: somewhere to leave what is to be done at the end.
  const t = { teardown: (run: () => unknown) => void undo.push(run), plan: () => {} } as unknown as Test
  try {
    const folder = mkdtempSync(join(tmpdir(), 'gosesh-bench-'))
    undo.push(() => rmSync(folder, { recursive: true, force: true }))
    await compare(await sqlite(folder))
    const server = await startPostgres(t)
    if (server !== null) {
      const pool = new pg.Pool(server.connection)
      undo.push(() => pool.end())
      await compare(await postgres(pool))
    }
    const client = new Redis((await startRedis(t)).url)
    undo.push(() => client.disconnect())
    await compare(redis(client))
  } finally {
    for (const run of undo.reverse()) await run()
  }
}
