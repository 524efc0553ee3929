import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Scope } from './scope.js'
import { measureStaleness, type Staleness, type StalenessFault, stalenessFaults } from './staleness.js'

// npm run staleness: for how long a node accepts a session that another one has revoked, with every fault.
const { values } = parseArgs({
  options: {
    fault: { type: 'string', multiple: true, default: Object.keys(stalenessFaults) },
    store: { type: 'string', multiple: true, default: ['redis', 'postgres'] },
    'max-staleness': { type: 'string', default: '2000' },
    sessions: { type: 'string', default: '30' },
  },
})
const program = fileURLToPath(new URL('./staleness-node.js', import.meta.url))
const options = {
  program,
  count: Number(values.sessions),
  maxStaleness: Number(values['max-staleness']),
}

async function measure(store: 'redis' | 'postgres', fault: StalenessFault): Promise<Staleness | null> {
  const scope = new Scope()
  try {
    return await measureStaleness(scope.asTest, store, fault, options)
  } finally {
    await scope.close()
  }
}

let late = 0
console.log('| fault | store | median | maximum |\n|---|---|---|---|')
for (const fault of values.fault as StalenessFault[]) {
  for (const store of values.store as ('redis' | 'postgres')[]) {
    const { what } = stalenessFaults[fault]
    const result = await measure(store, fault)
    if (result === null) {
      console.error(`${store} is not installed`)
      late++
      continue
    }
    console.log(`| ${what} | ${store} | ${result.median} ms | ${result.max} ms |`)
    if (result.max > options.maxStaleness) late++
  }
}
if (late > 0) process.exit(1)
