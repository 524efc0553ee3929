import pg from 'pg'
import { RunningCandidate } from '../harness/candidate.js'
import { type Comparison, compare } from '../harness/compare.js'
import type { SeededStoreSettings } from '../harness/seeded-store.js'
import { type Cleanup, postgresServer, redisServer, withCleanup } from '../harness/servers.js'
import { median } from '../harness/statistics.js'
import { type Goal, type Section, type Series, show, showCount, showSpread } from '../report/result.js'
import { roundsFor } from './verify.js'

type GrowingStore = 'memory' | 'redis' | 'postgres'

interface Size {
  readonly count: number
  /** Bytes that a session takes where it is kept. */
  readonly bytes: number
}

interface Growth {
  readonly store: GrowingStore
  readonly sizes: readonly Size[]
  readonly comparison: Comparison
}

const titleOf = (count: number): string => `${showCount(count)} sessions`

/** A store of its own, and how many bytes it holds. */
async function place(
  cleanup: Cleanup,
  store: GrowingStore,
): Promise<{ settings: SeededStoreSettings; bytes(server: RunningCandidate): Promise<number> }> {
  if (store === 'redis') {
    const redis = await redisServer(cleanup)
    const bytes = async (): Promise<number> => {
      return Number(/used_memory:(\d+)/.exec(await redis.command('INFO', 'memory'))?.[1])
    }
    return { settings: { store, redisUrl: redis.url }, bytes }
  }
  if (store === 'postgres') {
    const postgres = (await postgresServer(cleanup)).connection
    const bytes = async (): Promise<number> => {
      const client = new pg.Client(postgres)
      await client.connect()
      const { rows } = await client.query("SELECT pg_total_relation_size('gosesh_sessions') AS bytes")
      await client.end()
      return Number(rows[0].bytes)
    }
    return { settings: { store, postgres }, bytes }
  }
  return { settings: { store }, bytes: (server) => server.program.call<number>('heap') }
}

async function growthOf(store: GrowingStore, counts: readonly number[], quick: boolean): Promise<Growth> {
  return await withCleanup(async (cleanup) => {
    const servers: RunningCandidate[] = []
    const sizes: Size[] = []
    for (const count of counts) {
      const { settings, bytes } = await place(cleanup, store)
      // It begins empty, for what it weighs then.
      const server = await RunningCandidate.startSeeded(titleOf(count), settings, count)
      cleanup.add(() => server.stop())
      const before = await bytes(server)
      await server.program.call('seed', 0, count)
      sizes.push({ count, bytes: ((await bytes(server)) - before) / count })
      servers.push(server)
    }
    return { store, sizes, comparison: await compare(servers, roundsFor(quick)) }
  })
}

interface Fleet {
  readonly processes: number
  readonly perSecond: number
  readonly cpuPerRequest: number
}

/** Processes on one Redis, each with its share of the load at once. */
async function fleets(quick: boolean): Promise<Fleet[]> {
  return await withCleanup(async (cleanup) => {
    const settings: SeededStoreSettings = { store: 'redis', redisUrl: (await redisServer(cleanup)).url }
    const servers: RunningCandidate[] = []
    for (let i = 0; i < 4; i++) {
      const server = await RunningCandidate.startSeeded(`process ${i}`, settings, 1_000, false)
      cleanup.add(() => server.stop())
      if (i === 0) await server.program.call('seed', 0, 1_000)
      await server.measure(0.5, 32)
      servers.push(server)
    }
    const { rounds, seconds } = roundsFor(quick)
    const results = new Map<number, Fleet[]>([1, 2, 4].map((processes) => [processes, []]))
    for (let round = 0; round < Math.ceil(rounds / 2); round++) {
      for (const [processes, measured] of results) {
        const share = servers.slice(0, processes).map((server) => server.measure(seconds, 32 / processes))
        const shares = await Promise.all(share)
        const total = shares.reduce((sum, { requests }) => sum + requests, 0)
        measured.push({
          processes,
          perSecond: shares.reduce((sum, { perSecond }) => sum + perSecond, 0),
          cpuPerRequest:
            shares.reduce((sum, { cpuPerRequest, requests }) => sum + cpuPerRequest * requests, 0) / total,
        })
      }
    }
    return Array.from(results, ([processes, measured]) => ({
      processes,
      perSecond: median(measured.map(({ perSecond }) => perSecond)),
      cpuPerRequest: median(measured.map(({ cpuPerRequest }) => cpuPerRequest)),
    }))
  })
}

function growthRows({ store, sizes, comparison }: Growth): string[][] {
  const [smallest] = comparison.titles as [string]
  return sizes.map(({ count, bytes }) => [
    store,
    showCount(count),
    showCount(comparison.spread(titleOf(count), ({ perSecond }) => perSecond).median),
    showSpread(comparison.spread(titleOf(count), ({ cpuPerRequest }) => cpuPerRequest)),
    showSpread(comparison.throughput(titleOf(count), smallest)),
    showSpread(comparison.efficiency(titleOf(count), smallest)),
    // What an empty store has set aside hides what a few sessions take.
    count < 100_000 ? '–' : showCount(bytes),
  ])
}

function growthGoals({ store, sizes, comparison }: Growth): Goal[] {
  const [smallest] = comparison.titles as [string]
  return sizes
    .filter(({ count }) => count === 1_000_000)
    .map(({ count }) => ({
      measure: `a million sessions over a thousand, ${store}`,
      goal: { atLeast: 0.9 },
      measured: comparison.efficiency(titleOf(count), smallest),
      throughput: comparison.throughput(titleOf(count), smallest),
    }))
}

function growthSeries({ store, sizes, comparison }: Growth): Series {
  const [smallest] = comparison.titles as [string]
  const points = sizes.map(
    ({ count }) => [count, comparison.efficiency(titleOf(count), smallest).median] as const,
  )
  return { name: store, points }
}

export const growth: Section = {
  title: 'Growth',
  async run({ quick }) {
    const upToMillion = quick ? [1_000, 1_000_000] : [1_000, 10_000, 100_000, 1_000_000]
    const results = [
      await growthOf('memory', upToMillion, quick),
      await growthOf('redis', upToMillion, quick),
      ...(quick ? [] : [await growthOf('postgres', upToMillion, quick)]),
    ]
    const processes = await fleets(quick)
    const alone = processes[0] as Fleet
    const largest = (store: GrowingStore): number =>
      results.find((result) => result.store === store)?.sizes.at(-1)?.bytes ?? Number.NaN
    return {
      tables: [
        {
          title: 'A verified request, by sessions in the store',
          columns: [
            ...['store', 'sessions', 'requests/s', 'CPU µs a request'],
            ...['throughput / 1,000', 'per CPU / 1,000', 'bytes a session'],
          ],
          rows: results.flatMap(growthRows),
        },
        {
          title: 'Processes on one Redis',
          columns: ['processes', 'requests/s', 'CPU µs a request', 'requests/s beside one'],
          rows: processes.map((fleet) => [
            String(fleet.processes),
            showCount(fleet.perSecond),
            show(fleet.cpuPerRequest),
            show(fleet.perSecond / alone.perSecond),
          ]),
        },
      ],
      goals: results.flatMap(growthGoals),
      figures: {
        memorySessionBytes: largest('memory'),
        redisSessionBytes: largest('redis'),
        postgresSessionBytes: largest('postgres'),
      },
      curves: [
        {
          title: 'Requests per CPU beside 1,000 sessions',
          x: 'sessions in the store',
          series: results.map(growthSeries),
        },
        {
          title: 'Requests/s beside one process',
          x: 'processes on one Redis',
          series: [
            {
              name: 'redis',
              points: processes.map((f) => [f.processes, f.perSecond / alone.perSecond] as const),
            },
          ],
        },
      ],
    }
  },
}
