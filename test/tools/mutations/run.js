// @ts-check
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { mutations } from './mutations.js'

/** @import { Mutation } from './types.js' */

const root = resolve(fileURLToPath(new URL('../../..', import.meta.url)))
const leftOut = new Set(['node_modules', '.git', '.tap', '.bench', 'dist'])
const timeout = 300_000
/** The long tests need less to find what is missing than to find what is rare. */
const environment = {
  ABUSE_RUNS: '5000',
  RACES_RUNS: '60',
  DATA_RACES_RUNS: '100',
  STALENESS_RUNS: '100',
  CI: '',
}

/** A copy of the repository to be changed; it is gone once the process is. */
function copyRepository() {
  const copy = mkdtempSync(join(tmpdir(), 'gosesh-mutations-'))
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
  cpSync(root, copy, {
    recursive: true,
    filter: (source) => !(dirname(source) === root && leftOut.has(basename(source))),
  })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/**
 * What a test file says of the copy.
 *
 * @param {string} copy
 * @param {string} test
 */
async function runTest(copy, test) {
  const tap = join(root, 'node_modules', '.bin', 'tap')
  const child = spawn(process.execPath, [tap, '--disable-coverage', '--reporter=tap', test], {
    cwd: copy,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
    signal: AbortSignal.timeout(timeout),
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk
  })
  const [code] = await once(child, 'close')
  return { passed: code === 0, output }
}

/**
 * Whether an assertion failed, and not the loading of a file, and in time.
 *
 * @param {{ passed: boolean, output: string }} result
 */
function isCaught({ passed, output }) {
  const broken = /ERR_MODULE_NOT_FOUND|ReferenceError|timeout!/.test(output)
  return !passed && !broken && /^ +ok \d/m.test(output) && /^ +not ok \d/m.test(output)
}

/**
 * @param {string} copy
 * @param {Mutation} mutation
 */
async function tryMutation(copy, { file, text, replacement, test }) {
  const path = join(copy, file)
  const original = readFileSync(path, 'utf8')
  if (original.split(text).length !== 2) throw new Error(`not once in ${file}: ${text}`)
  writeFileSync(
    path,
    original.replace(text, () => replacement),
  )
  try {
    return isCaught(await runTest(copy, test))
  } finally {
    writeFileSync(path, original)
  }
}

const [wanted = ''] = process.argv.slice(2)
const chosen = mutations.filter(({ check, file, test }) => [check, file, test].join().includes(wanted))
const copy = copyRepository()

for (const test of new Set(chosen.map((mutation) => mutation.test))) {
  const { passed, output } = await runTest(copy, test)
  if (passed) continue
  console.error(output)
  throw new Error(`${test} fails without any mutation`)
}

console.log('| check | requirement | file | test | caught |\n|---|---|---|---|---|')
let survivors = 0
for (const mutation of chosen) {
  const caught = await tryMutation(copy, mutation)
  if (!caught) survivors++
  const { check, requirement, file, test } = mutation
  console.log(`| ${check} | ${requirement} | ${file} | ${test} | ${caught ? 'yes' : 'NO'} |`)
}
console.log(`\n${chosen.length - survivors} of ${chosen.length} caught`)
process.exitCode = survivors === 0 ? 0 : 1
