import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))

t.test('the packed package', async (t) => {
  // Outside of this repository, whose own packages would be found from inside.
  const folder = await mkdtemp(join(tmpdir(), 'gosesh-consumer-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
  })
  const [tarball] = JSON.parse(packed.stdout)

  await t.test('holds what a user needs and nothing else', async (t) => {
    const paths: string[] = tarball.files.map((file: { path: string }) => file.path)
    const expected =
      /^(?:dist\/(?:lib|types)\/.+\.(?:js|js\.map|d\.ts)|docs\/.+\.(?:md|svg|png)|examples\/recipes\/.+\.js)$/
    t.same(paths.filter((path) => !expected.test(path)).sort(), [
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'package.json',
    ])
    t.ok(tarball.size < 500_000, `${tarball.size} bytes`)
    for (const entry of Object.values<{ types?: string; default?: string } | string>(manifest.exports)) {
      const files = typeof entry === 'string' ? [entry] : [entry.types, entry.default]
      for (const file of files) t.ok(paths.includes(String(file).replace('./', '')), `${file} is packed`)
    }
  })

  await t.test('has every file that its types lead to', async (t) => {
    const paths: string[] = tarball.files.map((file: { path: string }) => file.path)
    const entries = Object.values<{ types?: string }>(manifest.exports).flatMap(({ types }) => types ?? [])
    const reached = new Set(entries.map((file) => file.replace('./', '')))
    for (const file of reached) {
      t.ok(paths.includes(file), file)
      const text = await readFile(join(root, file), 'utf8')
      for (const [, from, imported] of text.matchAll(/(?:from|import) '(\.[^']+)'|import\('(\.[^']+)'\)/g)) {
        reached.add(join(dirname(file), String(from ?? imported)).replace(/\.js$/, '.d.ts'))
      }
    }
    t.ok(reached.size > 30)
  })

  await t.test('is a few files of code, and each class is in one of them', async (t) => {
    const paths: string[] = tarball.files.map((file: { path: string }) => file.path)
    const code = paths.filter((path) => path.startsWith('dist/') && path.endsWith('.js'))
    t.equal(code.length, 10, 'one for each entry point, one that they share, and that of deviceBinding')
    const classes = new Map<string, number>()
    for (const file of code) {
      const text = await readFile(join(root, file), 'utf8')
      const isNames = file === 'dist/lib/index.js' || file === 'dist/lib/plugin/index.js'
      if (!isNames) t.match(text, /^\/\/# sourceMappingURL=/m, file)
      for (const [, assigned, declared] of text.matchAll(/^(?:(?:var|const|let) (\w+) = )?class ?(\w*)/gm)) {
        const name = String(assigned ?? declared)
        classes.set(name, (classes.get(name) ?? 0) + 1)
      }
    }
    t.ok(classes.has('GoseshError') && classes.has('RequestGuard'))
    t.same(
      [...classes].filter(([, count]) => count > 1),
      [],
    )
  })

  await t.test('has pages whose every link leads somewhere inside it', async (t) => {
    const paths: string[] = tarball.files.map((file: { path: string }) => file.path)
    for (const page of paths.filter((path) => path.endsWith('.md'))) {
      const prose = (await readFile(join(root, page), 'utf8')).replace(/^```[\s\S]*?^```$/gm, '')
      const links = prose.matchAll(/\]\((?!https?:|#)([^)\s#]+)[^)]*\)|(?:src|srcset)="([^"]+)"/g)
      for (const [, link, image] of links) {
        const target = join(dirname(page), String(link ?? image))
        t.ok(
          paths.some((path) => path === target || path.startsWith(`${target}/`)),
          `${page}: ${target}`,
        )
      }
    }
  })

  await cp(join(root, 'test/system/fixtures/consumer'), folder, { recursive: true })
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, type: 'module' }),
  )
  const install = async (...names: string[]) => {
    const packages = names.map((name) =>
      name in manifest.devDependencies ? `${name}@${manifest.devDependencies[name]}` : name,
    )
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], { cwd: folder })
  }
  await install(join(folder, tarball.filename), 'fastify', 'typescript', '@types/node')
  const printed = async (...args: string[]) =>
    (await run(process.execPath, args, { cwd: folder })).stdout.trim()

  await t.test('signs in as an ES module', async (t) => t.equal(await printed('esm.mjs'), 'signed in'))
  await t.test('signs in from CommonJS', async (t) => t.equal(await printed('cjs.cjs'), 'signed in'))
  await t.test('builds in TypeScript, strict and with library checks, and signs in', async (t) => {
    await printed('node_modules/typescript/bin/tsc', '-p', '.')
    t.equal(await printed('built/app.js'), 'signed in')
    t.equal(await printed('built/common.cjs'), 'signed in')
  })

  await t.test('installs nothing for gosesh/oauth, which says where it is imported what to', async (t) => {
    const installed = await readdir(join(folder, 'node_modules'))
    t.notOk(installed.includes('openid-client') || installed.includes('jose'))
    for (const args of [['--input-type=module', '--eval', "import 'gosesh/oauth'"], ['oauth.cjs']]) {
      const { stderr } = await printed(...args).catch((error) => error)
      t.match(stderr, /run npm install openid-client jose[\s\S]*GOSESH_ERR_OAUTH_PEER_MISSING/)
    }
  })
  await t.test('signs in at providers with these two installed', async (t) => {
    await install('openid-client', 'jose')
    t.equal(await printed('oauth.cjs'), 'signed in')
    await printed('node_modules/typescript/bin/tsc', '-p', 'tsconfig.oauth.json')
    t.equal(await printed('built/oauth.js'), 'signed in')
  })
})
