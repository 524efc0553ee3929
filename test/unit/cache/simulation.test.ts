import { join } from 'node:path'
import t from 'tap'
import { RevocationPoller } from '../../../lib/cache/revocation-poller.js'
import { SessionCache } from '../../../lib/cache/session-cache.js'
import { mutants, mutated } from './mutants.js'
import { simulate } from './simulation.js'

const runs = Number(process.env.STALENESS_RUNS ?? 300)
const first = Number(process.env.STALENESS_SEED ?? Math.floor(Math.random() * 2 ** 31))

t.setTimeout(3_600_000)

t.test(
  `no session is used maxStaleness after its end, in ${runs} schedules from seed ${first}`,
  async (t) => {
    let hits = 0
    const late: string[] = []
    for (let seed = first; seed < first + runs; seed++) {
      const outcome = await simulate({ SessionCache, RevocationPoller }, seed)
      hits += outcome.hits
      for (const ms of outcome.late) late.push(`${ms} ms, STALENESS_SEED=${seed} STALENESS_RUNS=1`)
    }
    t.same(late, [])
    t.ok(hits > runs * 50, `${hits} hits`)
    t.comment(`${hits} hits`)
  },
)

t.test('the simulation finds what the bound rests on', async (t) => {
  const folder = t.testdir({})
  for (const [i, mutant] of mutants.entries()) {
    // A folder each, as a module is loaded once.
    const subject = await mutated(join(folder, String(i)), mutant)
    let tried = 0
    let found = 0
    // From a fixed seed, so that it is always found.
    while (found === 0 && tried < 2_000) found = (await simulate(subject, ++tried)).late.length
    t.ok(found > 0, `${mutant.name}: after ${tried} schedules`)
    t.comment(`${mutant.name}: found after ${tried} schedules`)
  }
})
