import type { Candidate } from '../harness/candidate.js'
import { compare } from '../harness/compare.js'
import { withCleanup } from '../harness/servers.js'
import type { Section } from '../report/result.js'
import { comparisonTable, goalBeside, roundsFor, startAll } from './verify.js'

const open = { path: '/public', anonymous: true } as const
const candidates: readonly Candidate[] = [
  { title: 'without gosesh', peer: 'plain', settings: {}, ...open },
  { title: 'with @fastify/cookie alone', peer: 'cookies', settings: {}, ...open },
  { title: 'with gosesh', peer: 'gosesh', settings: { tracking: true }, ...open },
]

export const anonymous: Section = {
  title: 'An anonymous request',
  async run({ quick }) {
    const { rounds, seconds } = roundsFor(quick)
    // Few candidates, and a small difference: more rounds.
    const options = { rounds: Math.ceil(rounds * 1.5), seconds }
    const comparison = await withCleanup(async (cleanup) =>
      compare(await startAll(cleanup, candidates), options),
    )
    return {
      tables: [comparisonTable('An anonymous request', comparison, 'without gosesh')],
      goals: [
        goalBeside(comparison, 'anonymous request beside the same app', [
          'with gosesh',
          'without gosesh',
          0.98,
        ]),
      ],
    }
  },
}
