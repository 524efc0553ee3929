import { type Candidate, RunningCandidate } from '../harness/candidate.js'
import { postgresServer, redisServer, withCleanup } from '../harness/servers.js'
import { statementCounter, stopStatementLog } from '../harness/statement-log.js'
import { countCommands, redisCounter, type StoreCounts } from '../harness/store-counts.js'
import type { PeerSettings, StoreName } from '../peers/peer.js'
import {
  exactly,
  type Goal,
  type Section,
  type SectionResult,
  showCount,
  type Table,
} from '../report/result.js'
import { compareCandidates, comparisonTable, countsTable, goalBeside, roundsFor } from './verify.js'

type Settings = Omit<PeerSettings, 'lifetime'>

const theirs = '@fastify/session'

/** Sessions that two requests at once change. */
const pairs = 200

function candidatesOn(settings: Settings): Candidate[] {
  const gosesh = { peer: 'gosesh', settings: { ...settings, tracking: true } } as const
  // Not rolling: the session is written if the request changed it.
  const other = { peer: 'fastify-session', settings: { ...settings, rolling: false } } as const
  return [
    { title: 'gosesh, no data', ...gosesh },
    { title: 'gosesh, a value read', ...gosesh, path: '/data' },
    { title: `${theirs}, a value read`, ...other, path: '/data' },
    { title: 'gosesh, a value changed', ...gosesh, path: '/count' },
    { title: `${theirs}, a value changed`, ...other, path: '/count' },
  ]
}

/** Of sessions of which two requests at once each set a key, those that have both afterwards. */
async function bothKept(candidate: Candidate): Promise<number> {
  const server = await RunningCandidate.start(candidate)
  try {
    const origin = new URL(server.url).origin
    const get = async (path: string, cookie: string): Promise<unknown> =>
      (await fetch(`${origin}${path}`, { headers: { cookie } })).json()
    let kept = 0
    for (const cookie of server.cookies.slice(0, pairs)) {
      await Promise.all([get('/set/a', cookie), get('/set/b', cookie)])
      const { a, b } = (await get('/all', cookie)) as { a?: number; b?: number }
      if (a !== undefined && b !== undefined) kept++
    }
    return kept
  } finally {
    await server.stop()
  }
}

async function keptTable(candidates: readonly Candidate[]): Promise<{ table: Table; ours: number }> {
  const [ours, other] = [candidates[0] as Candidate, candidates[2] as Candidate]
  const kept = [await bothKept(ours), await bothKept(other)] as const
  const rows = ['gosesh', theirs].map((name, i) => [name, showCount(pairs), showCount(kept[i as 0 | 1])])
  return {
    table: {
      title: 'Two requests at once, which set different keys of one session',
      columns: ['', 'sessions', 'of these, with both keys afterwards'],
      rows,
    },
    ours: kept[0],
  }
}

function section(
  title: string,
  place: (
    cleanup: Parameters<Parameters<typeof withCleanup>[0]>[0],
  ) => Promise<{ settings: Settings; count(all: readonly Candidate[]): Promise<Map<string, StoreCounts>> }>,
): Section {
  return {
    title,
    run: ({ quick }) =>
      withCleanup(async (cleanup): Promise<SectionResult> => {
        const { settings, count } = await place(cleanup)
        const candidates = candidatesOn(settings)
        const counts = await count(candidates)
        const kept = await keptTable(candidates)
        const comparison = await compareCandidates(candidates, roundsFor(quick))
        const goals: Goal[] = [
          goalBeside(comparison, `${title}: a value read, beside ${theirs}`, [
            'gosesh, a value read',
            `${theirs}, a value read`,
            0.7,
          ]),
          {
            measure: `${title}: of ${pairs} pairs of requests that set different keys, those of which both stay`,
            goal: { atLeast: pairs },
            measured: exactly(kept.ours),
          },
        ]
        return {
          tables: [comparisonTable(title, comparison, 'gosesh, no data'), countsTable(counts), kept.table],
          goals,
          notes: [
            'Of Redis, commands inside of scripts are counted too. To gosesh a value that is read is one round trip beside that of the session, and a value that is changed two.',
          ],
        }
      }),
  }
}

export const dataOnRedis = section('Session data, Redis', async (cleanup) => {
  const server = await redisServer(cleanup)
  const settings = { store: 'redis' satisfies StoreName, redisUrl: server.url } as const
  return { settings, count: (all) => countCommands(all, redisCounter(server)) }
})

export const dataOnPostgres = section('Session data, PostgreSQL', async (cleanup) => {
  const server = await postgresServer(cleanup)
  const settings = { store: 'postgres' satisfies StoreName, postgres: server.connection } as const
  return {
    settings,
    async count(all) {
      const counts = await countCommands(all, await statementCounter(server))
      await stopStatementLog(server)
      return counts
    },
  }
})
