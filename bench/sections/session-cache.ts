import { SessionCache } from '../../lib/cache/session-cache.js'
import type { SessionCacheOptions, SessionRecord } from '../../lib/index.js'
import { newSession } from '../../lib/testing/fixtures.js'
import { type Candidate, RunningCandidate } from '../harness/candidate.js'
import { checkCandidates } from '../harness/check.js'
import { type Comparison, compare } from '../harness/compare.js'
import { hitRate, patterns } from '../harness/hit-rates.js'
import { idOf } from '../harness/seed.js'
import { type Cleanup, postgresServer, redisServer, withCleanup } from '../harness/servers.js'
import { postgresCpu, redisCpu, type StoreCpu } from '../harness/store-cpu.js'
import type { PeerSettings } from '../peers/peer.js'
import { exactly, type Section, show, showCount, showSpread, type Table } from '../report/result.js'
import { goalBeside, roundsFor } from './verify.js'

const [noCache, hit, mixed, miss] = ['no cache', 'hit', 'some hit', 'miss'] as const

/** With 1,000 sessions in turn: all of them fit, some of them are too old already, or none is kept until its next request. */
const caches: Readonly<Record<typeof hit | typeof mixed | typeof miss, SessionCacheOptions>> = {
  [hit]: {},
  [mixed]: { maxEntryAge: 500 },
  [miss]: { maxSessions: 1 },
}

type Store = Pick<PeerSettings, 'store' | 'redisUrl' | 'postgres'>

function candidatesOn(store: Store): Candidate[] {
  const ours = (title: string, sessionCache?: SessionCacheOptions): Candidate => ({
    title,
    peer: 'gosesh',
    settings: { ...store, tracking: true, ...(sessionCache && { sessionCache }) },
  })
  return [
    { title: 'floor', peer: 'floor', settings: store },
    ours(noCache),
    ...Object.entries(caches).map(([title, cache]) => ours(title, cache)),
    { title: '@fastify/session, rolling', peer: 'fastify-session', settings: { ...store, rolling: true } },
  ]
}

interface Costs {
  /** Microseconds of the store's processor time for a request. */
  readonly store: number
  /** The part of the requests that found their session in memory; NaN without a cache. */
  readonly hits: number
}

async function costsOf(running: RunningCandidate, storeCpu: StoreCpu): Promise<Costs> {
  const hitsBefore = await running.program.call<readonly [number, number]>('cacheCounts')
  const before = await storeCpu()
  const { requests } = await running.measure(1, 32)
  const store = ((await storeCpu()) - before) / requests
  const hitsAfter = await running.program.call<readonly [number, number]>('cacheCounts')
  const [hits, misses] = [hitsAfter[0] - hitsBefore[0], hitsAfter[1] - hitsBefore[1]]
  return { store, hits: hits / (hits + misses) }
}

interface Measured {
  readonly comparison: Comparison
  readonly costs: ReadonlyMap<string, Costs>
}

async function measureOn(
  cleanup: Cleanup,
  store: Store,
  storeCpu: StoreCpu,
  quick: boolean,
): Promise<Measured> {
  const candidates = candidatesOn(store)
  await checkCandidates(candidates)
  const running: RunningCandidate[] = []
  for (const candidate of candidates) {
    const started = await RunningCandidate.start(candidate)
    cleanup.add(() => started.stop())
    running.push(started)
  }
  const comparison = await compare(running, roundsFor(quick))
  const costs = new Map<string, Costs>()
  for (const each of running) costs.set(each.title, await costsOf(each, storeCpu))
  return { comparison, costs }
}

function tableOf(name: string, { comparison, costs }: Measured): Table {
  const showPart = (part: number): string => (Number.isNaN(part) ? '–' : `${Math.round(part * 100)} %`)
  return {
    title: `A verified request with \`sessionCache\`, ${name}`,
    columns: ['', 'hits', 'CPU µs a request', 'CPU µs of the store', 'per CPU / no cache', 'per CPU / floor'],
    rows: comparison.titles.map((title) => {
      const { store, hits } = costs.get(title) as Costs
      const cpu = comparison.spread(title, ({ cpuPerRequest }) => cpuPerRequest)
      const beside = [noCache, 'floor'].map((other) => showSpread(comparison.efficiency(title, other)))
      return [title, showPart(hits), showSpread(cpu), show(store), ...beside]
    }),
  }
}

function goalsOf(name: string, { comparison }: Measured, atLeast: number) {
  const measure = (what: string) => `verified request, ${name}: ${what} beside no cache`
  return [
    goalBeside(comparison, measure('a hit of the cache'), [hit, noCache, atLeast]),
    goalBeside(comparison, measure('a miss of the cache'), [miss, noCache, 0.9]),
  ]
}

const hitRates: Table = {
  title: 'The part of the requests that hit, simulated, by where they go',
  columns: ['', 'nodes', 'to any node', 'half sticky', 'nine in ten sticky', 'sticky'],
  rows: patterns.flatMap((pattern) =>
    [3, 12].map((nodes) => [
      pattern.title,
      String(nodes),
      ...[0, 0.5, 0.9, 1].map((sticky) => `${Math.round(hitRate(pattern, nodes, sticky) * 100)} %`),
    ]),
  ),
}

/** Of records as a store reads them: nothing in one is part of another. */
function bytesPerSession(count: number): number {
  const cache = new SessionCache({ maxStaleness: 2_000, maxEntryAge: 300_000, maxSessions: 2 * count })
  const ids = Array.from({ length: count }, (_, i) => idOf(i))
  const text = JSON.stringify(newSession())
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  for (const id of ids) {
    const parsed = JSON.parse(text)
    const [createdAt, lastActivityAt, authenticatedAt, idleDeadline, absoluteDeadline] = [
      ...[parsed.createdAt, parsed.lastActivityAt, parsed.authenticatedAt],
      ...[parsed.idleDeadline, parsed.absoluteDeadline],
    ].map((time) => new Date(time))
    const dates = { createdAt, lastActivityAt, authenticatedAt, idleDeadline, absoluteDeadline }
    cache.endLoad(cache.beginLoad(id), { ...parsed, ...dates, id } as SessionRecord)
  }
  globalThis.gc?.()
  // Asked after the collection, so that the cache is still there.
  return (process.memoryUsage().heapUsed - before) / cache.stats.size
}

/** Ten million active sessions with a request a minute each, as in the model of cost. */
function fleetTable(measured: Readonly<Record<string, Measured>>, bytes: number): Table {
  const [sessions, nodeLoad] = [10_000_000, 0.6]
  const requests = sessions / 60
  const rows = Object.entries(measured).flatMap(([name, { comparison, costs }]) => {
    const cpu = (title: string) => comparison.spread(title, ({ cpuPerRequest }) => cpuPerRequest).median
    const cores = (micros: number): number => (requests * micros) / 1e6
    const row = (title: string, rate: number, nodeCpu: number, storeCpu: number): string[] => {
      const nodes = Math.ceil(cores(nodeCpu) / nodeLoad)
      const memory = rate === 0 ? '–' : showCount((sessions * bytes) / nodes / 1e6)
      return [name, title, showCount(requests * (1 - rate)), show(nodes), show(cores(storeCpu)), memory]
    }
    const without = row(noCache, 0, cpu(noCache), (costs.get(noCache) as Costs).store)
    // A read in `maxEntryAge`, so one request in five.
    const [rate, read] = [0.8, (costs.get(noCache) as Costs).store]
    const mean = rate * cpu(hit) + (1 - rate) * cpu(miss)
    return [without, row('sticky', rate, mean, (1 - rate) * read)]
  })
  return {
    title: 'Ten million active sessions with a request a minute each, predicted',
    columns: ['', '', 'reads/s', 'cores of nodes, at 60 % load', 'cores of the store, reads', 'MB a node'],
    rows,
  }
}

export const sessionCache: Section = {
  title: 'Sessions in memory',
  async run({ quick }) {
    const redis = await withCleanup(async (cleanup) => {
      const server = await redisServer(cleanup)
      return await measureOn(cleanup, { store: 'redis', redisUrl: server.url }, redisCpu(server), quick)
    })
    const postgres = await withCleanup(async (cleanup) => {
      const server = await postgresServer(cleanup)
      const store = { store: 'postgres', postgres: server.connection } as const
      return await measureOn(cleanup, store, postgresCpu(server, cleanup), quick)
    })
    const bytes = bytesPerSession(100_000)
    return {
      tables: [
        tableOf('PostgreSQL', postgres),
        tableOf('Redis', redis),
        hitRates,
        fleetTable({ PostgreSQL: postgres, Redis: redis }, bytes),
      ],
      goals: [
        ...goalsOf('PostgreSQL', postgres, 2.2),
        ...goalsOf('Redis', redis, 1.35),
        {
          measure: 'a session in memory, over its id',
          goal: { atMost: 1_000 },
          unit: ' bytes',
          measured: exactly(bytes),
        },
      ],
      notes: [`A session in memory takes ${showCount(bytes)} bytes over its id.`],
    }
  },
}
