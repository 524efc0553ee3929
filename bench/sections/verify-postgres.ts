import type pg from 'pg'
import type { Candidate } from '../harness/candidate.js'
import { postgresServer, withCleanup } from '../harness/servers.js'
import { statementCounter, stopStatementLog } from '../harness/statement-log.js'
import { countCommands, type StoreCounts } from '../harness/store-counts.js'
import { exactly, type Section } from '../report/result.js'
import {
  compareCandidates,
  comparisonTable,
  countsTable,
  goalBeside,
  goalBesidePeer,
  roundsFor,
} from './verify.js'

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
      const besidePeer = (peer: string) => goalBesidePeer(comparison, 'PostgreSQL', ours, peer)
      return {
        tables: [comparisonTable('A verified request, PostgreSQL', comparison, 'floor'), countsTable(counts)],
        goals: [
          goalBeside(comparison, 'verified request, PostgreSQL: beside the floor', [ours, 'floor', 0.95]),
          besidePeer('@fastify/session, rolling'),
          besidePeer('better-auth'),
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
