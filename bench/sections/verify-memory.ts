import type { Candidate } from '../harness/candidate.js'
import type { Section } from '../report/result.js'
import { compareCandidates, comparisonTable, goalBeside, goalBesidePeer, roundsFor } from './verify.js'

const candidates: readonly Candidate[] = [
  { title: 'floor', peer: 'floor', settings: {} },
  { title: 'floor with headers, session, activity', peer: 'full-floor', settings: {} },
  { title: 'gosesh, tracking on', peer: 'gosesh', settings: { tracking: true } },
  { title: 'gosesh, tracking off', peer: 'gosesh', settings: { tracking: false } },
  { title: '@fastify/session', peer: 'fastify-session', settings: {} },
  { title: '@fastify/secure-session', peer: 'secure-session', settings: {} },
  { title: '@mgcrea/fastify-session', peer: 'mgcrea-session', settings: {} },
]

export const verifyMemory: Section = {
  title: 'A verified request, memory store',
  async run({ quick }) {
    const comparison = await compareCandidates(candidates, roundsFor(quick))
    const ours = 'gosesh, tracking on'
    const besidePeer = (peer: string) => goalBesidePeer(comparison, 'memory', ours, peer)
    return {
      tables: [comparisonTable('A verified request, memory store', comparison, 'floor')],
      goals: [
        goalBeside(comparison, 'verified request, memory: beside the floor', [ours, 'floor', 0.95]),
        besidePeer('@fastify/session'),
        besidePeer('@mgcrea/fastify-session'),
        besidePeer('@fastify/secure-session'),
        goalBeside(comparison, 'tracking on beside off, memory', [ours, 'gosesh, tracking off', 0.98]),
      ],
      figures: {
        memoryCpu: comparison.spread(ours, ({ cpuPerRequest }) => cpuPerRequest).median,
        floorCpu: comparison.spread('floor', ({ cpuPerRequest }) => cpuPerRequest).median,
      },
    }
  },
}
