import type { Candidate } from '../harness/candidate.js'
import { redisServer, withCleanup } from '../harness/servers.js'
import { countCommands, redisCounter, type StoreCounts } from '../harness/store-counts.js'
import { exactly, type Section } from '../report/result.js'
import {
  compareCandidates,
  comparisonTable,
  countsTable,
  goalBeside,
  goalBesidePeer,
  roundsFor,
} from './verify.js'

function candidatesOn(redisUrl: string): Candidate[] {
  const settings = { store: 'redis', redisUrl } as const
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
  ]
}

export const verifyRedis: Section = {
  title: 'A verified request, Redis',
  run: ({ quick }) =>
    withCleanup(async (cleanup) => {
      const server = await redisServer(cleanup)
      const candidates = candidatesOn(server.url)
      const counts = await countCommands(candidates, redisCounter(server))
      const comparison = await compareCandidates(candidates, roundsFor(quick))
      const ours = 'gosesh, tracking on'
      const besidePeer = (peer: string) => goalBesidePeer(comparison, 'Redis', ours, peer)
      return {
        tables: [comparisonTable('A verified request, Redis', comparison, 'floor'), countsTable(counts)],
        goals: [
          goalBeside(comparison, 'verified request, Redis: beside the floor', [ours, 'floor', 0.95]),
          besidePeer('@fastify/session, rolling'),
          besidePeer('@fastify/session, not rolling'),
          {
            measure: 'writes for 1,000 requests before the flush, Redis',
            goal: { atMost: 0 },
            measured: exactly((counts.get(ours) as StoreCounts).writes),
          },
          goalBeside(comparison, 'tracking on beside off, Redis', [ours, 'gosesh, tracking off', 0.98]),
        ],
        figures: { redisCpu: comparison.spread(ours, ({ cpuPerRequest }) => cpuPerRequest).median },
      }
    }),
}
