import { readdir, readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import t from 'tap'
import gosesh from '../../../lib/index.js'

const root = new URL('../../../', import.meta.url)
const pages = [
  'docs/recipes.md',
  'docs/migrating-from-fastify-session.md',
  'docs/how-strong-is-this-sign-in.md',
  'docs/session-data.md',
]

async function read(path: string): Promise<string> {
  return await readFile(new URL(path, root), 'utf8')
}

/** The code blocks of a page. */
function blocksOf(page: string): string[] {
  return Array.from(page.matchAll(/^```js\n([\s\S]*?)^```$/gm), ([, code = '']) => code)
}

/** What GitHub calls the heading in a link. */
function anchorsOf(page: string): string[] {
  return Array.from(page.matchAll(/^#+ (.*)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

t.test('every recipe is printed as it is, and has a test', async (t) => {
  const printed = new Set((await Promise.all(pages.map(read))).flatMap(blocksOf))
  const recipes = (await readdir(new URL('examples/recipes', root))).filter((name) => name.endsWith('.js'))
  const tests = await readdir(new URL('test/system/recipes', root))
  t.ok(recipes.length >= 18)
  for (const name of recipes) {
    t.ok(printed.has(await read(`examples/recipes/${name}`)), `${name} is printed`)
    t.ok(tests.includes(name.replace('.js', '.test.ts')), `${name} is tested`)
  }
  const whole = [...printed].filter((code) => code.startsWith('// @ts-check'))
  t.equal(whole.length, recipes.length, 'and nothing is printed that is no recipe')
})

t.test('every link leads somewhere', async (t) => {
  for (const path of pages) {
    const prose = (await read(path)).replace(/^```[\s\S]*?^```$/gm, '')
    for (const [, link = ''] of prose.matchAll(/\]\((?!https:)([^)]+)\)/g)) {
      const [, target = '', anchor] = /^([^#]*)(?:#(.*))?$/.exec(link) ?? []
      const url = new URL(target === '' ? path.slice('docs/'.length) : target, new URL('docs/', root))
      if (!/\.\w+$/.test(url.pathname)) t.ok((await readdir(url)).length > 0, link)
      else if (anchor === undefined) t.ok(await readFile(url, 'utf8'), link)
      else t.ok(anchorsOf(await readFile(url, 'utf8')).includes(anchor), link)
    }
  }
})

t.test('what the page on migration names is there', async (t) => {
  const page = await read('docs/migrating-from-fastify-session.md')
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh)
  app.get('/', async (request, reply) => {
    await reply.signIn('ada')
    for (const [name, found] of [
      ['app\\.gosesh', app.gosesh],
      ['reply', reply],
    ] as const) {
      const members = new Set(
        Array.from(page.matchAll(new RegExp(`\`${name}\\.(\\w+)`, 'g')), ([, key]) => key),
      )
      t.ok(members.size >= 2, name)
      for (const key of members) t.ok(String(key) in found, `${name} ${key}`)
    }
    return { required: typeof request.requireSession }
  })
  t.same((await app.inject('/')).json(), { required: 'function' })
})
