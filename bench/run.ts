import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, platform, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { parseArgs } from 'node:util'
import { coresApart } from './harness/cores.js'
import { loadGenerator } from './harness/load.js'
import { type Report, reportGoals, writeDocs } from './report/docs.js'
import { sectionText } from './report/markdown.js'
import type { Section, SectionResult } from './report/result.js'
import { anonymous } from './sections/anonymous.js'
import { costModel } from './sections/cost-model.js'
import { deletions } from './sections/deletions.js'
import { deviceBinding } from './sections/device-binding.js'
import { flush } from './sections/flush.js'
import { growth } from './sections/growth.js'
import { record } from './sections/record.js'
import { requestParts } from './sections/request-parts.js'
import { revocationLog } from './sections/revocation-log.js'
import { sessionCache } from './sections/session-cache.js'
import { dataOnPostgres, dataOnRedis } from './sections/session-data.js'
import { startUp } from './sections/start-up.js'
import { storeCall } from './sections/store-call.js'
import { verifyMemory } from './sections/verify-memory.js'
import { verifyPostgres } from './sections/verify-postgres.js'
import { verifyRedis } from './sections/verify-redis.js'

/** In this order: the later ones reckon with figures of the earlier ones. */
const sections: Readonly<Record<string, Section>> = {
  'verify-memory': verifyMemory,
  'verify-redis': verifyRedis,
  'verify-postgres': verifyPostgres,
  anonymous,
  'request-parts': requestParts,
  record,
  'store-call': storeCall,
  flush,
  growth,
  'data-redis': dataOnRedis,
  'data-postgres': dataOnPostgres,
  deletions,
  'revocation-log': revocationLog,
  'session-cache': sessionCache,
  'device-binding': deviceBinding,
  'start-up': startUp,
  'cost-model': costModel,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string', default: '.bench/results.json' },
    'write-docs': { type: 'boolean', default: false },
    node: { type: 'string' },
    beside: { type: 'string' },
  },
})
// Everything, the servers and what loads them, then runs with the Node that was asked for.
if (values.node !== undefined) {
  const args = process.argv
    .slice(1)
    .filter((arg, i, all) => !/^--node(?:=|$)/.test(arg) && all[i - 1] !== '--node')
  const { status } = spawnSync(values.node, ['--expose-gc', ...args], { stdio: 'inherit' })
  process.exit(status ?? 1)
}
const unknown = positionals.filter((name) => !(name in sections))
if (unknown.length > 0) {
  console.error(`No such section: ${unknown.join(', ')}. Sections: ${Object.keys(sections).join(', ')}`)
  process.exit(2)
}

function machine(): string {
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  const processor = `${availableParallelism()} cores (${cpus()[0]?.model.trim()})`
  return `${platform()} ${arch()}, ${processor}, ${gigabytes} GiB, Node ${process.version}, load by ${loadGenerator}${coresApart ? ', on a core of its own' : ''}`
}

// Servers and programs end with this process; what it made beside them it removes as it exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

const started = performance.now()
console.log(`# ${machine()}\n`)
const results: Record<string, SectionResult> = {}
const figures: Record<string, number> = {}
for (const [name, section] of Object.entries(sections)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue
  const began = performance.now()
  const result = await section.run({ quick: values.quick, figures })
  results[name] = result
  Object.assign(figures, result.figures)
  const seconds = Math.round((performance.now() - began) / 1_000)
  console.log(`## ${section.title} (${name}, ${seconds} s)\n\n${sectionText(result)}\n`)
}
const report: Report = {
  date: new Date().toISOString().slice(0, 10),
  machine: machine(),
  node: process.version,
  quick: values.quick,
  sections: results,
}
console.log(`## Goals\n\n${reportGoals(report)}\n`)
mkdirSync(dirname(values.json), { recursive: true })
writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
const beside =
  values.beside === undefined ? null : (JSON.parse(readFileSync(values.beside, 'utf8')) as Report)
if (values['write-docs']) writeDocs(report, beside)
console.log(`${Math.round((performance.now() - started) / 1_000)} seconds; figures in ${values.json}`)
