import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type StoreName, storeNames } from '../chaos/backend.js'
import { startGround } from '../chaos/ground.js'
import { Scope } from '../chaos/scope.js'
import { runSoak } from './soak.js'
import { summary } from './summary.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '20' },
    store: { type: 'string', default: 'redis' },
    json: { type: 'string' },
  },
})
const seconds = Number(values.minutes) * 60
const store = values.store as StoreName
if (!(seconds > 0) || !storeNames.includes(store)) {
  console.error(`--minutes takes a positive number, --store one of ${storeNames.join(', ')}`)
  process.exit(2)
}
/** Stores that are swept keep a session for five minutes past its deadline; it takes as long for them to be full. */
const fullAfterSeconds = 6.5 * 60

const program = fileURLToPath(new URL('../chaos/app.js', import.meta.url))
const scope = new Scope()
try {
  const ground = await startGround(scope.asTest, store)
  if (ground === null) process.exit(1)
  const warmUpSeconds = Math.min(seconds / 3, fullAfterSeconds)
  const result = await runSoak(ground, { program, seconds, warmUpSeconds, heapTolerance: 0.1 })
  console.log(summary(result))
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`)
  for (const broken of result.broken.slice(0, 50)) console.error(`BROKEN: ${broken}`)
  if (result.broken.length > 0) process.exitCode = 1
} finally {
  await scope.close()
}
