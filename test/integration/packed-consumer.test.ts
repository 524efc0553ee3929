import { execFile } from 'node:child_process'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))

t.test('the packed package', async (t) => {
  const folder = t.testdir()
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
  })
  const [tarball] = JSON.parse(packed.stdout)

  await t.test('holds what a user needs and nothing else', async (t) => {
    const paths: string[] = tarball.files.map((file: { path: string }) => file.path)
    const others = paths.filter((path) => !/^dist\/(?:lib|types)\/.+\.(?:js|d\.ts)$/.test(path)).sort()
    t.same(others, ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'])
    for (const entry of Object.values<{ types?: string; default?: string } | string>(manifest.exports)) {
      const files = typeof entry === 'string' ? [entry] : [entry.types, entry.default]
      for (const file of files) t.ok(paths.includes(String(file).replace('./', '')), `${file} is packed`)
    }
  })

  await cp(join(root, 'test/fixtures/consumer'), folder, { recursive: true })
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  )
  const dependencies = ['fastify', 'typescript', '@types/node'].map(
    (name) => `${name}@${manifest.devDependencies[name]}`,
  )
  const tgz = join(folder, tarball.filename)
  await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tgz, ...dependencies], {
    cwd: folder,
  })
  const printed = async (...args: string[]) =>
    (await run(process.execPath, args, { cwd: folder })).stdout.trim()

  await t.test('signs in as an ES module', async (t) => t.equal(await printed('esm.mjs'), 'signed in'))
  await t.test('signs in from CommonJS', async (t) => t.equal(await printed('cjs.cjs'), 'signed in'))
  await t.test('builds in TypeScript, strict and with library checks, and signs in', async (t) => {
    await printed('node_modules/typescript/bin/tsc', '-p', '.')
    t.equal(await printed('built/app.js'), 'signed in')
    t.equal(await printed('built/common.cjs'), 'signed in')
  })
})
