import { RunningCandidate } from '../harness/candidate.js'
import type { SeededStoreName, SeededStoreSettings } from '../harness/seeded-store.js'
import {
  type Cleanup,
  postgresServer,
  redisServer,
  temporaryFolder,
  withCleanup,
} from '../harness/servers.js'
import { median, ratios, type Spread } from '../harness/statistics.js'
import {
  exactly,
  type Goal,
  type Section,
  type SectionResult,
  show,
  showCount,
  showSpread,
} from '../report/result.js'

interface Run {
  readonly ms: number
  /** The longest that the event loop was held. */
  readonly heldMs: number
}

interface FlushResult {
  readonly store: string
  readonly count: number
  readonly flush: readonly Run[]
  readonly byHand: readonly Run[]
  /** Making the batches, which is a part of every flush and no part of a write by hand. */
  readonly batches: readonly Run[]
  readonly p99: Latencies | null
}

/** The p99 of requests, in milliseconds. */
interface Latencies {
  readonly without: readonly number[]
  readonly during: readonly number[]
  /** During the same write by hand. */
  readonly byHand: readonly number[]
}

const storeTitles: Record<SeededStoreName, string> = {
  memory: 'memory',
  sqlite: 'SQLite (libsql)',
  postgres: 'PostgreSQL (pg)',
  redis: 'Redis (ioredis)',
}

/** A server that has something to do and is not saturated: some 1,000 requests a second. */
const moderate = { connections: 16, pause: 16 }

function timesOf(runs: readonly Run[]): number[] {
  return runs.map(({ ms }) => ms)
}

function longestHeld(runs: readonly Run[]): number {
  return Math.max(...runs.map(({ heldMs }) => heldMs))
}

async function latencies(
  server: RunningCandidate,
  count: number,
  seconds: number,
  rounds: number,
): Promise<Latencies> {
  const [without, during, byHand]: [number[], number[], number[]] = [[], [], []]
  const p99During = async (...work: [name: string, ...args: unknown[]]): Promise<number> => {
    await server.program.call('collectGarbage')
    const load = server.measure(seconds, moderate.connections, moderate.pause)
    const [{ p99 }] = await Promise.all([load, server.program.call(...work)])
    return p99
  }
  for (let round = 0; round < rounds; round++) {
    without.push(await p99During('cpu'))
    await server.program.call('recordAll', count)
    during.push(await p99During('flush'))
  }
  // Last: it leaves the store more to clean up than a flush does.
  for (let round = 0; round < rounds; round++) byHand.push(await p99During('byHand', count))
  return { without, during, byHand }
}

async function flushOn(settings: SeededStoreSettings, count: number, rounds: number): Promise<FlushResult> {
  const title = storeTitles[settings.store]
  const server = await RunningCandidate.startSeeded(title, settings, count)
  await server.program.call('seed', 0, count)
  const call = <T>(name: string, ...args: unknown[]): Promise<T> => server.program.call(name, ...args)
  const timed = async (...work: [name: string, ...args: unknown[]]): Promise<Run> => {
    await call('collectGarbage')
    return await call<Run>(...work)
  }
  const [flush, byHand, batches]: [Run[], Run[], Run[]] = [[], [], []]
  // The first of each is not counted: the compiler and the store's caches have not seen it yet.
  for (let round = -1; round < rounds; round++) {
    const hand = round % 2 === 0 ? [await timed('byHand', count)] : []
    await call('recordAll', count)
    const run = await timed('flush')
    if (round % 2 !== 0) hand.push(await timed('byHand', count))
    const making = await timed('batches', count)
    if (round < 0) continue
    batches.push(making)
    flush.push(run)
    byHand.push(...hand)
  }
  // A flush that is over in no time leaves nothing to measure meanwhile.
  const seconds = median(timesOf(flush)) / 1_000
  const p99 = seconds < 0.1 ? null : await latencies(server, count, Math.max(seconds, 0.3), rounds)
  await server.stop()
  return { store: title, count, flush, byHand, batches, p99 }
}

/** Each with a server of its own: what one leaves behind must not slow down the next. */
async function storeSettings(cleanup: Cleanup, store: SeededStoreName): Promise<SeededStoreSettings> {
  if (store === 'sqlite') return { store, folder: temporaryFolder(cleanup) }
  if (store === 'postgres') return { store, postgres: (await postgresServer(cleanup)).connection }
  if (store === 'redis') return { store, redisUrl: (await redisServer(cleanup)).url }
  return { store }
}

function timeRatio({ flush, byHand }: FlushResult): Spread {
  return ratios(timesOf(flush), timesOf(byHand))
}

function resultOf(results: readonly FlushResult[]): SectionResult {
  const rows = results.map((result) => {
    const { store, count, flush, byHand, p99 } = result
    return [
      store,
      showCount(count),
      show(median(timesOf(flush))),
      show(median(timesOf(byHand))),
      showSpread(timeRatio(result)),
      show(longestHeld(flush)),
      show(longestHeld(byHand)),
      p99 === null ? '–' : show(median(p99.without)),
      p99 === null ? '–' : show(median(p99.during)),
      p99 === null ? '–' : show(median(p99.byHand)),
    ]
  })
  const hundredThousand = results.filter(({ count }) => count === 100_000)
  const goals = hundredThousand.flatMap((result): Goal[] => {
    const { store, flush, p99 } = result
    const latency: Goal[] =
      p99 === null
        ? []
        : [
            {
              measure: `p99 during a flush of 100,000 over that without, ${store}`,
              goal: { atMost: 1.5 },
              measured: ratios(p99.during, p99.without),
            },
          ]
    return [
      {
        measure: `flush of 100,000 over the bare client, ${store}`,
        goal: { atMost: 1.2 },
        measured: timeRatio(result),
      },
      {
        measure: `event loop held by a flush of 100,000, ${store}`,
        goal: { atMost: 10 },
        unit: ' ms',
        measured: exactly(longestHeld(flush)),
      },
      ...latency,
    ]
  })
  const columns = [
    'store',
    'sessions',
    'flush ms',
    'by hand ms',
    'ratio',
    'held ms',
    'by hand held ms',
    'p99 ms without',
    'during the flush',
    'during the write by hand',
  ]
  const figures = Object.fromEntries(
    hundredThousand.map(({ store, flush }) => [`flushMicros ${store}`, median(timesOf(flush)) / 100]),
  )
  return {
    tables: [{ title: 'A flush, beside the same write with the bare client', columns, rows }],
    goals,
    figures,
    notes: [
      `Making the batches alone, maps of ids and dates, takes ${show(median(hundredThousand.flatMap(({ batches }) => timesOf(batches))))} ms for 100,000 sessions. It is a part of every flush, and of no write by hand.`,
    ],
  }
}

export const flush: Section = {
  title: 'A flush',
  async run({ quick }) {
    const counts = quick ? [100_000] : [1_000, 100_000, 1_000_000]
    const results: FlushResult[] = []
    for (const store of ['memory', 'sqlite', 'postgres', 'redis'] as const) {
      for (const count of counts) {
        const rounds = quick ? 3 : count === 1_000_000 ? 3 : 9
        results.push(
          await withCleanup(async (cleanup) => flushOn(await storeSettings(cleanup, store), count, rounds)),
        )
      }
    }
    return resultOf(results)
  },
}
