import { execFile } from 'node:child_process'
import { readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../../', import.meta.url))
const page = await readFile(join(root, 'docs/recipes.md'), 'utf8')

/** The code that follows this text in the section on testing. */
function codeAfter(text: string): string {
  const section = page.slice(page.indexOf('## Testing an application'))
  const [, code] = /```js\n([\s\S]*?)```/.exec(section.slice(section.indexOf(text))) ?? []
  if (code === undefined) throw new Error(`no code after: ${text}`)
  return code
}

/** As much of Vitest as the page uses; the page was run with Vitest itself too. */
const vitest = `
import assert from 'node:assert/strict'
import { test as nodeTest } from 'node:test'
let finish
export const onTestFinished = (hook) => { finish = hook }
export const expect = (actual) => ({ toBe: (expected) => assert.equal(actual, expected) })
export const test = (name, work) => nodeTest(name, async () => { await work(); await finish() })
`

for (const { runner, args, passes } of [
  { runner: 'node:test', args: ['--test'], passes: 2 },
  { runner: 'tap', args: [], passes: 1 },
  { runner: 'Vitest', args: ['--test'], passes: 1 },
]) {
  t.test(`the test of an application runs with ${runner}`, async (t) => {
    const folder = t.testdir({
      'package.json': '{ "type": "module" }',
      'app.js': codeAfter('is tested like this:'),
      'account.test.js': codeAfter(`With ${runner}:`),
      node_modules: {
        vitest: { 'package.json': '{ "type": "module", "main": "index.js" }', 'index.js': vitest },
      },
    })
    await symlink(root, join(folder, 'node_modules/gosesh'), 'dir')
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(?:_?TAP|NODE_)/.test(name)),
    )
    const { stdout } = await run(process.execPath, [...args, 'account.test.js'], { cwd: folder, env })
    t.match(stdout, new RegExp(`\\bpass:? ${passes}\\b`))
  })
}
