import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

const root = process.cwd()
const page = await readFile(join(root, 'docs/security.md'), 'utf8')

/** The tests that the page names, each with its file. */
function namedTests(): { file: string; name: string }[] {
  return [...page.matchAll(/`(test\/[\w/.-]+)` ((?:“[^”]+”(?:, )?)+)/g)].flatMap((match) => {
    const [, file, names] = match as unknown as [string, string, string]
    return [...names.matchAll(/“([^”]+)”/g)].map(([, name]) => ({ file, name: String(name) }))
  })
}

t.test('every test that the page on security names is there', async (t) => {
  const named = namedTests()
  t.ok(named.length > 25, `${named.length} tests are named`)
  t.equal(named.length, [...page.matchAll(/“[^”]+”/g)].length - 1, 'no other quotation but that of a mark')
  for (const { file, name } of named) {
    const text = await readFile(join(root, file), 'utf8')
    t.ok(text.includes(`t.test('${name}'`), `${file}: ${name}`)
  }
})

t.test('each requirement of ASVS 7 is met by a test, or is the application’s', async (t) => {
  const rows = page.split('\n').filter((line) => /^\| 7\.\d/.test(line))
  t.equal(rows.length, 19)
  for (const row of rows) t.match(row, /test\/|\| App/, row.slice(0, 8))
})
