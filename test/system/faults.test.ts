import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { SessionId, SessionStore } from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { type Answer, AppNode } from '../tools/node.js'
import { startPostgres } from '../tools/postgres-server.js'
import { hasRedis, startRedis } from '../tools/redis-server.js'

/** The store's own timeout, and what a loaded machine may add. */
const boundedMs = 2_000 + 1_500

interface Outcome {
  readonly status: number
  readonly ms: number
}

interface Fault {
  readonly name: string
  begin(): Promise<void> | void
  end(): Promise<void> | void
}

/** Requests by every session, again and again, until it is stopped. */
class Load {
  readonly outcomes: Outcome[] = []
  #stopped = false
  readonly #running: Promise<unknown>

  constructor(node: AppNode, cookies: readonly string[]) {
    this.#running = Promise.all([...cookies.map((cookie) => this.#loop(node, cookie)), this.#visit(node)])
  }

  /** Somebody who signs in and out, again and again. */
  async #visit(node: AppNode): Promise<void> {
    while (!this.#stopped) {
      const { cookie } = await this.#send(node, 'POST', '/login', undefined, { user: 'visitor' })
      if (cookie !== null) await this.#send(node, 'POST', '/logout', cookie)
      await delay(20)
    }
  }

  async #send(node: AppNode, ...request: Parameters<AppNode['request']>): Promise<Answer> {
    const started = performance.now()
    const answer = await node.request(...request)
    this.outcomes.push({ status: answer.status, ms: performance.now() - started })
    return answer
  }

  async #loop(node: AppNode, cookie: string): Promise<void> {
    while (!this.#stopped) {
      await this.#send(node, 'GET', '/me', cookie)
      await delay(20)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }
}

/** Resolves once each cookie is let in again. */
async function resumed(node: AppNode, cookies: readonly string[]): Promise<void> {
  const end = Date.now() + 20_000
  for (const cookie of cookies) {
    for (;;) {
      const { status } = await node.request('GET', '/me', cookie)
      if (status === 200) break
      if (Date.now() > end) throw new Error(`still answered with ${status}`)
      await delay(20)
    }
  }
}

async function survive(
  t: Test,
  environment: Record<string, string>,
  faults: readonly Fault[],
  store: SessionStore,
  checkConnections = async () => {},
): Promise<void> {
  const node = await AppNode.start(t, environment)
  const sessions = await Promise.all(Array.from({ length: 15 }, (_, index) => node.signIn(`user-${index}`)))
  const cookies = sessions.map(({ cookie }) => cookie)
  for (const { name, begin, end } of faults) {
    await t.test(name, async (t) => {
      const load = new Load(node, cookies)
      await delay(1_000)
      const before = load.outcomes.length
      t.ok(
        load.outcomes.every(({ status }) => status === 200),
        'well before',
      )
      await begin()
      await delay(10_000)
      await end()
      await resumed(node, cookies)
      await load.stop()
      const during = load.outcomes.slice(before)
      const refused = during.filter(({ status }) => status === 503)
      t.ok(refused.length > 0, 'requests were answered with 503')
      t.same(
        during.filter(({ status }) => status !== 200 && status !== 503),
        [],
        'and with nothing else',
      )
      const slowest = Math.round(Math.max(...during.map(({ ms }) => ms)))
      t.ok(slowest < boundedMs, `the slowest answer took ${slowest} ms`)
      t.comment(
        `${refused.length} of ${during.length} requests answered with 503, the slowest in ${slowest} ms`,
      )
      t.ok(node.isRunning, 'the process lives')
    })
  }
  const { connections } = JSON.parse((await node.request('GET', '/state')).body)
  t.match(
    connections,
    connections.total === undefined ? {} : { waiting: 0, idle: connections.total },
    'no connection is leaked',
  )
  await checkConnections()
  const { report, code } = await node.terminate()
  t.equal(code, 0)
  const stored: Record<string, number | undefined> = {}
  for (const { id } of sessions)
    stored[id] = (await store.getSession(id as SessionId))?.lastActivityAt.getTime()
  t.same(stored, report.arrivals, 'all activity was written')
  t.match(report.stats, { lost: 0, dropped: 0 })
}

t.test('PostgreSQL that is killed, and that hangs', async (t) => {
  const server = await startPostgres(t)
  if (server === null) return
  const pool = new pg.Pool(server.connection)
  // This pool is the test's own: the store adds its listener only where there is none.
  pool.on('error', () => {})
  t.teardown(() => pool.end())
  const store = new PostgresStore(pool)
  await store.migrate()
  const faults: Fault[] = [
    { name: 'kill -9 and restart after 10 seconds', begin: () => server.kill(), end: () => server.start() },
    { name: 'SIGSTOP for 10 seconds', begin: () => server.pause(), end: () => server.resume() },
  ]
  await survive(t, { STORE: 'postgres', STORE_PORT: String(server.port) }, faults, store)
  t.ok(pool.totalCount <= 10)
})

t.test('Redis with an append-only file that is killed, and that hangs', async (t) => {
  if (!hasRedis(t)) return
  const server = await startRedis(t, { appendonly: 'yes', appendfsync: 'always' })
  const client = new Redis(server.url)
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  const faults: Fault[] = [
    { name: 'kill -9 and restart after 10 seconds', begin: () => server.kill(), end: () => server.start() },
    { name: 'SIGSTOP for 10 seconds', begin: () => server.pause(), end: () => server.resume() },
  ]
  await survive(
    t,
    { STORE: 'redis', STORE_PORT: String(server.port) },
    faults,
    new RedisStore(client),
    async () => {
      // The one of the application, the test's own, and the one that asks.
      const connections = (await server.command('CLIENT', 'LIST')).trim().split('\n')
      t.equal(connections.length, 3, 'no connection is leaked')
    },
  )
})
