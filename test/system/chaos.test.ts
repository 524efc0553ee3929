import t, { type Test } from 'tap'
import type { StoreName } from './chaos/backend.js'
import { type FaultName, faults } from './chaos/faults.js'
import { startGround } from './chaos/ground.js'
import { type Result, runScenario } from './chaos/scenario.js'
import { table } from './chaos/table.js'
import { transpile } from './chaos/transpile.js'
import { runSoak } from './soak/soak.js'

const seconds = Number(process.env.CHAOS_SECONDS ?? 2)

/** Every fault on at least one store; `npm run chaos` runs each on every store that it concerns. */
const lanes: readonly (readonly [StoreName, readonly FaultName[]])[] = [
  ['redis', ['slow', 'drops', 'kill', 'crash']],
  ['postgres', ['too-slow', 'hang', 'silence', 'one-in-ten']],
  ['sqlite', ['too-slow', 'full', 'crash', 'clock']],
]

const program = transpile('test/system/chaos/app.ts', t.testdir())
const results: Result[] = []

async function endureAll(t: Test, store: StoreName, names: readonly FaultName[]): Promise<void> {
  const ground = await startGround(t, store)
  if (ground === null) return
  for (const name of names) {
    const result = await runScenario(name, ground, { program, seconds })
    results.push(result)
    t.same(result.broken, [], `${name}: ${faults[name].what}`)
  }
}

// Side by side: most of the time is spent on waiting.
t.jobs = lanes.length + 1

for (const [store, names] of lanes) {
  t.test(`${store} keeps its promises when things go wrong`, { buffered: true }, async (t) => {
    await endureAll(t, store, names)
  })
}

t.test('people who come and go leave nothing behind', { buffered: true }, async (t) => {
  const ground = await startGround(t, 'memory')
  if (ground === null) return
  // Long enough for idle sessions to end, and too short for a heap to tell a leak from a start.
  const result = await runSoak(ground, { program, seconds: 12, warmUpSeconds: 4, heapTolerance: 1 })
  t.same(result.broken, [])
  t.ok(result.activity.recorded > 100 && result.signIns > 10, 'there was load')
  t.ok((result.refusals.idle ?? 0) > 0, 'sessions ended by themselves')
})

t.teardown(() => t.comment(`\n${table(results)}`))
