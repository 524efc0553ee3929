import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type StoreName, storeNames } from './backend.js'
import { type FaultName, faultNames, faults } from './faults.js'
import { startGround } from './ground.js'
import { concerns, type Result, runScenario } from './scenario.js'
import { Scope } from './scope.js'
import { table } from './table.js'

function chosen<T extends string>(kind: string, names: readonly T[], given: readonly string[]): readonly T[] {
  const unknown = given.filter((name) => !names.includes(name as T))
  if (unknown.length > 0) {
    console.error(`No such ${kind}: ${unknown.join(', ')}. There are: ${names.join(', ')}`)
    process.exit(2)
  }
  return given.length === 0 ? names : names.filter((name) => given.includes(name))
}

const program = fileURLToPath(new URL('./app.js', import.meta.url))

async function runOn(
  store: StoreName,
  names: readonly FaultName[],
  seconds: number,
): Promise<Result[] | null> {
  const scope = new Scope()
  const results: Result[] = []
  try {
    const ground = await startGround(scope.asTest, store)
    if (ground === null) return null
    for (const name of names.filter((fault) => concerns(fault, store))) {
      console.error(`${store}: ${faults[name].what}`)
      const result = await runScenario(name, ground, { program, seconds })
      for (const broken of result.broken) console.error(`  BROKEN: ${broken}`)
      results.push(result)
    }
  } finally {
    await scope.close()
  }
  return results
}

const { values } = parseArgs({
  options: {
    fault: { type: 'string', multiple: true, default: [] },
    store: { type: 'string', multiple: true, default: [] },
    seconds: { type: 'string', default: '10' },
    json: { type: 'string' },
  },
})
const stores = chosen('store', storeNames, values.store)
const names = chosen('fault', faultNames, values.fault)
const seconds = Number(values.seconds)
if (!(seconds > 0)) {
  console.error('--seconds takes a positive number')
  process.exit(2)
}
const results: Result[] = []
let skipped = 0
for (const store of stores) {
  const ofStore = await runOn(store, names, seconds)
  if (ofStore === null) skipped++
  results.push(...(ofStore ?? []))
}
results.sort((a, b) => faultNames.indexOf(a.fault) - faultNames.indexOf(b.fault))
console.log(table(results))
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`)
const broken = results.filter((result) => result.broken.length > 0)
for (const result of broken) {
  console.error(`\n${result.fault} on ${result.store}:\n  ${result.broken.slice(0, 20).join('\n  ')}`)
}
if (broken.length > 0 || skipped > 0 || results.length === 0) process.exit(1)
