import type pg from 'pg'
import type { Candidate } from '../harness/candidate.js'
import { postgresServer, withCleanup } from '../harness/servers.js'
import { statementCounter, stopStatementLog } from '../harness/statement-log.js'
import { countCommands, type StoreCounts } from '../harness/store-counts.js'
import { exactly, type Section } from '../report/result.js'
import { compareCandidates, comparisonTable, countsTable, goalBeside, roundsFor } from './verify.js'

function candidatesOn(postgres: pg.PoolConfig): Candidate[] {
  const settings = { store: 'postgres', postgres } as const
  return [
    { title: 'floor', peer: 'floor', settings },
    { title: 'gosesh, tracking on', peer: 'gosesh', settings: { ...settings, tracking: true } },
    { title: 'gosesh, tracking off', peer: 'gosesh', settings: { ...settings, tracking: false } },
    { title: '@fastify/session, rolling', peer: 'fastify-session', settings: { ...settings, rolling: true } },
    {
      title: '@fastify/session, not rolling',
      peer: 'fastify-session',
      settings: { ...settings, rolling: false },
    },
    { title: 'better-auth', peer: 'better-auth', settings },
  ]
}

export const verifyPostgres: Section = {
  title: 'A verified request, PostgreSQL',
  run: ({ quick }) =>
    withCleanup(async (cleanup) => {
      const server = await postgresServer(cleanup)
      const candidates = candidatesOn(server.connection)
      const counts = await countCommands(candidates, await statementCounter(server))
      await stopStatementLog(server)
      const comparison = await compareCandidates(candidates, roundsFor(quick))
      const ours = 'gosesh, tracking on'
      const goal = (measure: string, beside: string, atLeast: number) =>
        goalBeside(comparison, `verified request, PostgreSQL: ${measure}`, [ours, beside, atLeast])
      return {
        tables: [comparisonTable('A verified request, PostgreSQL', comparison, 'floor'), countsTable(counts)],
        goals: [
          goal('beside the floor', 'floor', 0.95),
          goal('beside @fastify/session, rolling', '@fastify/session, rolling', 2.5),
          goal('beside better-auth', 'better-auth', 3),
          {
            measure: 'writes for 1,000 requests before the flush, PostgreSQL',
            goal: { atMost: 0 },
            measured: exactly((counts.get(ours) as StoreCounts).writes),
          },
          goalBeside(comparison, 'tracking on beside off, PostgreSQL', [ours, 'gosesh, tracking off', 0.98]),
        ],
        figures: { postgresCpu: comparison.spread(ours, ({ cpuPerRequest }) => cpuPerRequest).median },
      }
    }),
}
