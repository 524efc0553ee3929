import { parseArgs } from 'node:util'
import { flushSection } from './flush.js'
import { recordSection } from './record.js'

const sections: Record<string, () => Promise<void>> = { record: recordSection, flush: flushSection }

const { positionals } = parseArgs({ allowPositionals: true })
const unknown = positionals.filter((name) => !(name in sections))
if (unknown.length > 0) {
  console.error(`No such section: ${unknown.join(', ')}. Sections: ${Object.keys(sections).join(', ')}`)
  process.exit(2)
}
for (const [name, section] of Object.entries(sections)) {
  if (positionals.length === 0 || positionals.includes(name)) await section()
}
