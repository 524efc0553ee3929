import t from 'tap'
import { measureStaleness, type StalenessFault } from './chaos/staleness.js'
import { transpile } from './chaos/transpile.js'

/** The others are in `npm run staleness`. */
const lanes: readonly (readonly ['redis' | 'postgres', StalenessFault, number])[] = [
  ['redis', 'none', 2_000],
  ['postgres', 'backend', 2_000],
  ['redis', 'frozen', 500],
  ['postgres', 'stopped', 500],
]

const program = transpile('test/system/chaos/staleness-node.ts', t.testdir())

t.jobs = 2

for (const [store, fault, maxStaleness] of lanes) {
  t.test(`${store}, ${fault}: no session is accepted past maxStaleness`, { buffered: true }, async (t) => {
    const result = await measureStaleness(t, store, fault, { program, count: 10, maxStaleness })
    if (result === null) return
    t.comment(JSON.stringify(result))
    t.ok(result.max <= maxStaleness, `${result.max} ms at most`)
    t.ok(result.hits > 30, 'from memory')
  })
}
