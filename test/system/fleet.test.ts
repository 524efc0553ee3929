import { Redis } from 'ioredis'
import pg from 'pg'
import t, { type Test } from 'tap'
import type { SessionId, SessionStore } from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { AppNode, type Report } from '../tools/node.js'
import { startPostgres } from '../tools/postgres-server.js'
import { hasRedis, keysBesideLog, startRedis } from '../tools/redis-server.js'

const seconds = Number(process.env.FLEET_SECONDS ?? 30)

/** What went against what a user may expect. */
interface Findings {
  requests: number
  signOuts: number
  /** Requests refused although their session was valid. */
  readonly refused: string[]
  /** Requests accepted although the end of their session had been acknowledged. */
  readonly accepted: string[]
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T
}

/** One user with several devices, who does one thing after another: so what must hold is known at every step. */
class User {
  readonly #name: string
  readonly #nodes: readonly AppNode[]
  readonly #findings: Findings
  devices: { cookie: string; id: string }[] = []

  constructor(name: string, nodes: readonly AppNode[], findings: Findings) {
    this.#name = name
    this.#nodes = nodes
    this.#findings = findings
  }

  async act(): Promise<void> {
    const chance = Math.random()
    if (this.devices.length === 0 || (chance < 0.1 && this.devices.length < 4)) return this.#signIn()
    if (chance < 0.2) return this.#signOut()
    if (chance < 0.24) return this.#signOutEverywhere()
    await Promise.all(Array.from({ length: 4 }, () => this.#request()))
  }

  async #signIn(): Promise<void> {
    this.devices.push(await pick(this.#nodes).signIn(this.#name))
  }

  async #request(): Promise<void> {
    const { cookie } = pick(this.devices)
    const { status, body } = await pick(this.#nodes).request('GET', '/me', cookie)
    this.#findings.requests++
    if (status !== 200) this.#findings.refused.push(`${status} ${body}`)
  }

  /** With requests of the same session under way, which may or may not still be accepted. */
  async #signOut(): Promise<void> {
    const [device] = this.devices.splice(Math.floor(Math.random() * this.devices.length), 1)
    const { cookie } = device as { cookie: string }
    const racing = Array.from({ length: 3 }, () => pick(this.#nodes).request('GET', '/me', cookie))
    const { status, body } = await pick(this.#nodes).request('POST', '/logout', cookie)
    if (status !== 200) this.#findings.refused.push(`sign-out: ${status} ${body}`)
    await this.#expectEnded([cookie])
    await Promise.all(racing)
    await this.#expectEnded([cookie])
  }

  async #signOutEverywhere(): Promise<void> {
    const cookies = this.devices.map(({ cookie }) => cookie)
    this.devices = []
    const { status, body } = await pick(this.#nodes).request('POST', '/logout-everywhere', cookies[0])
    if (status !== 200) this.#findings.refused.push(`sign-out everywhere: ${status} ${body}`)
    await this.#expectEnded(cookies)
  }

  async #expectEnded(cookies: readonly string[]): Promise<void> {
    this.#findings.signOuts++
    for (const cookie of cookies) {
      for (const node of this.#nodes) {
        const { status } = await node.request('GET', '/me', cookie)
        if (status !== 401) this.#findings.accepted.push(`${status}`)
      }
    }
  }
}

async function runFleet(t: Test, environment: Record<string, string>, store: SessionStore): Promise<void> {
  const nodes = await Promise.all([1, 2, 3].map(() => AppNode.start(t, environment)))
  const findings: Findings = { requests: 0, signOuts: 0, refused: [], accepted: [] }
  const users = Array.from({ length: 12 }, (_, index) => new User(`user-${index}`, nodes, findings))
  const end = Date.now() + seconds * 1_000
  await Promise.all(
    users.map(async (user) => {
      while (Date.now() < end) await user.act()
    }),
  )
  t.ok(nodes.every((node) => node.isRunning))
  const closed = await Promise.all(nodes.map((node) => node.terminate()))
  t.comment(`${findings.requests} requests, ${findings.signOuts} sign-outs in ${seconds} seconds`)
  t.ok(findings.requests > 100 && findings.signOuts > 10, 'there was load')
  t.same(findings.refused, [], 'no valid session was refused')
  t.same(findings.accepted, [], 'none was accepted after its end was acknowledged')
  t.same(
    closed.map(({ code }) => code),
    [0, 0, 0],
  )
  t.same(
    closed.map(({ report }) => report.stats.lost),
    [0, 0, 0],
  )
  await expectLastActivity(
    t,
    users.flatMap(({ devices }) => devices),
    closed.map(({ report }) => report),
    store,
  )
}

async function expectLastActivity(
  t: Test,
  devices: readonly { id: string }[],
  reports: readonly Report[],
  store: SessionStore,
): Promise<void> {
  const [stored, expected]: [Record<string, number | undefined>, Record<string, number>] = [{}, {}]
  for (const { id } of devices) {
    const arrivals = reports.flatMap(({ arrivals }) => arrivals[id] ?? [])
    if (arrivals.length === 0) continue
    expected[id] = Math.max(...arrivals)
    stored[id] = (await store.getSession(id as SessionId))?.lastActivityAt.getTime()
  }
  t.ok(Object.keys(expected).length > 0)
  t.same(stored, expected, 'the stored last activity is the last verified request, of whichever node')
}

t.test('three processes on one PostgreSQL', async (t) => {
  const server = await startPostgres(t)
  if (server === null) return
  const pool = new pg.Pool(server.connection)
  t.teardown(() => pool.end())
  const store = new PostgresStore(pool)
  await store.migrate()
  await runFleet(t, { STORE: 'postgres', STORE_PORT: String(server.port) }, store)
  t.notMatch(server.log, /deadlock/i, 'no deadlock in the log of the server')
})

t.test('three processes on one Redis', async (t) => {
  if (!hasRedis(t)) return
  const server = await startRedis(t)
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  await runFleet(t, { STORE: 'redis', STORE_PORT: String(server.port) }, new RedisStore(client))
  const keys = await keysBesideLog(client)
  t.ok(keys.length > 0)
  const eternal = []
  for (const key of keys) if (!key.includes('user:') && (await client.pttl(key)) < 0) eternal.push(key)
  t.same(eternal, [], 'no session or index without a TTL')
})
