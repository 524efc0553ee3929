import { access, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { mutations } from './mutations.js'

function pathOf(file: string): string {
  return fileURLToPath(new URL(`../../../${file}`, import.meta.url))
}

t.test('each mutation is of a text that is there once, and names a test that exists', async (t) => {
  t.ok(mutations.length >= 10)
  t.equal(new Set(mutations.map(({ check }) => check)).size, mutations.length, 'each check is there once')
  for (const { check, requirement, file, text, replacement, test } of mutations) {
    const source = await readFile(pathOf(file), 'utf8')
    t.equal(source.split(text).length - 1, 1, `${check}: once in ${file}`)
    t.not(replacement, text)
    t.match(requirement, /^(?:\d+\.\d+\.\d+|promise [1-7])$/)
    await t.resolves(access(pathOf(test)), `${test} exists`)
  }
})
