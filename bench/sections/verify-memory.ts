import type { Candidate } from '../harness/candidate.js'
import type { Section } from '../report/result.js'
import { compareCandidates, comparisonTable, goalBeside, roundsFor } from './verify.js'

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
    const goal = (measure: string, beside: string, atLeast: number) =>
      goalBeside(comparison, `verified request, memory: ${measure}`, [ours, beside, atLeast])
    return {
      tables: [comparisonTable('A verified request, memory store', comparison, 'floor')],
      goals: [
        goal('beside the floor', 'floor', 0.95),
        goal('beside @fastify/session', '@fastify/session', 2),
        goal('beside @mgcrea/fastify-session', '@mgcrea/fastify-session', 1.7),
        goal('beside @fastify/secure-session', '@fastify/secure-session', 1.15),
        goalBeside(comparison, 'tracking on beside off, memory', [ours, 'gosesh, tracking off', 0.98]),
      ],
      figures: {
        memoryCpu: comparison.spread(ours, ({ cpuPerRequest }) => cpuPerRequest).median,
        floorCpu: comparison.spread('floor', ({ cpuPerRequest }) => cpuPerRequest).median,
      },
    }
  },
}
