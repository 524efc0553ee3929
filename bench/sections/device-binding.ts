import type { Candidate } from '../harness/candidate.js'
import { compare } from '../harness/compare.js'
import { withCleanup } from '../harness/servers.js'
import type { Section } from '../report/result.js'
import { comparisonTable, goalBeside, roundsFor, startAll } from './verify.js'

const [unbound, bound] = ['unbound', 'bound'] as const

const candidates: readonly Candidate[] = [
  { title: unbound, peer: 'gosesh', settings: { tracking: true } },
  { title: bound, peer: 'gosesh', settings: { tracking: true, deviceBinding: true } },
]

/** What the proof of a device adds to a request: a second cookie, and an HMAC. */
export const deviceBinding: Section = {
  title: 'A session bound to a device',
  run: ({ quick }) =>
    withCleanup(async (cleanup) => {
      const comparison = await compare(await startAll(cleanup, candidates), roundsFor(quick))
      return {
        tables: [comparisonTable('A verified request of a bound session, memory store', comparison, unbound)],
        goals: [
          goalBeside(comparison, 'verified request, memory: bound beside unbound', [bound, unbound, 0.9]),
        ],
      }
    }),
}
