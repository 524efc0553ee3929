// @ts-check
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * Runs test files again and again, to find those that fail now and then: `node test/tools/repeat.js 30 test/stores`.
 * `servers` stands for every test that starts a server. `LOAD=1` keeps a core busy meanwhile. Prints a line for each run, and each
 * failure with what the test says of it.
 */
const [times = '', ...given] = process.argv.slice(2)
const runs = Number(times)
const files = given.flatMap((name) => (name === 'servers' ? filesWithServers() : [name]))
if (!Number.isInteger(runs) || runs < 1 || files.length === 0) {
  console.error('usage: node test/tools/repeat.js TIMES FILE…')
  process.exit(1)
}

const busy = process.env.LOAD === undefined ? null : spawn(process.execPath, ['-e', 'for (;;);'])
process.once('exit', () => busy?.kill('SIGKILL'))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** @returns {Promise<{ passed: boolean, output: string }>} */
async function run() {
  const tap = ['tap', '--disable-coverage', '--reporter=tap', ...files]
  const child = spawn('npx', ['--no-install', ...tap], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk
  })
  const [code] = await once(child, 'close')
  return { passed: code === 0, output }
}

let failures = 0
for (let i = 1; i <= runs; i++) {
  const started = performance.now()
  const { passed, output } = await run()
  const seconds = Math.round((performance.now() - started) / 1_000)
  console.log(`run ${i} of ${runs}: ${passed ? 'passed' : 'FAILED'} in ${seconds} s`)
  if (passed) continue
  failures++
  // The line, and the block of details below it.
  for (const failure of output.match(/^( *)not ok .*$(?:\n\1 {2}.*$)*/gm) ?? []) console.log(failure)
}
console.log(`${runs - failures} of ${runs} runs passed`)
process.exitCode = failures === 0 ? 0 : 1

/** Every test that starts PostgreSQL, Redis or a process of an application. */
function filesWithServers() {
  return readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts') && !name.startsWith('system/browser'))
    .map((name) => `test/${name}`)
    .filter((file) =>
      /tools\/node\.js|(?:redis|postgres)-(?:server|fixtures)\.js/.test(readFileSync(file, 'utf8')),
    )
}
