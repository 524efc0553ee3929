import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

const root = process.cwd()
const page = await readFile(join(root, 'docs/security.md'), 'utf8')
const strength = await readFile(join(root, 'docs/how-strong-is-this-sign-in.md'), 'utf8')

/** The tests that the page names, each with its file. */
function namedTests(page: string): { file: string; name: string }[] {
  return [...page.matchAll(/`(test\/[\w/.-]+)` ((?:“[^”]+”(?:, )?)+)/g)].flatMap((match) => {
    const [, file, names] = match as unknown as [string, string, string]
    return [...names.matchAll(/“([^”]+)”/g)].map(([, name]) => ({ file, name: String(name) }))
  })
}

t.test('every test that a page names is there', async (t) => {
  for (const [text, least, others] of [
    [page, 25, 1],
    [strength, 8, 0],
  ] as const) {
    const named = namedTests(text)
    t.ok(named.length > least, `${named.length} tests are named`)
    t.equal(
      named.length,
      [...text.matchAll(/“[^”]+”/g)].length - others,
      'no other quotation but that of a mark',
    )
    for (const { file, name } of named) {
      const code = await readFile(join(root, file), 'utf8')
      t.ok(code.replace(/\(\s+'/g, "('").includes(`t.test('${name}'`), `${file}: ${name}`)
    }
  }
})

t.test('the page on the strength of a sign-in answers each requirement by a test', async (t) => {
  const rows = strength.split('\n').filter((line) => /^\| (?:OWASP|NIST|RFC)/.test(line))
  t.equal(rows.length, 8)
  for (const row of rows) t.match(row, /test\//, row.slice(0, 20))
})

t.test('each requirement of ASVS 7 is met by a test, or is the application’s', async (t) => {
  const rows = page.split('\n').filter((line) => /^\| 7\.\d/.test(line))
  t.equal(rows.length, 19)
  for (const row of rows) t.match(row, /test\/|\| App/, row.slice(0, 8))
})
