import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { SessionStore } from '../../../lib/index.js'
import { PostgresStore } from '../../../lib/stores/postgres/index.js'
import { RedisStore } from '../../../lib/stores/redis/index.js'
import { startPostgres } from '../../tools/postgres-server.js'
import { hasRedis, startRedis } from '../../tools/redis-server.js'
import { becomesSignedOut, requireChromium, signOutMany } from './example-fixtures.js'
import { isLive, launchChromium, startExample } from './scene.js'

const program = fileURLToPath(new URL('./example-node.js', import.meta.url))
/** The default of `maxStaleness`, and time for the page. */
const soon = 2_000 + 1_000

/** The origin of a second node of the example, in a process of its own. */
async function startNode(t: Test, env: Record<string, string>): Promise<string> {
  const child = fork(program, { env: { ...process.env, ...env }, execArgv: [] })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const [origin] = await Promise.race([
    once(child, 'message'),
    exited.then(([code]) => Promise.reject(new Error(`the second node ended with ${code}`))),
  ])
  return origin
}

/** Somebody is signed in at one node and, on another device, at the other one, and signs the first out from there. */
async function endsElsewhere(t: Test, store: SessionStore, env: Record<string, string>): Promise<void> {
  const example = await startExample({ store })
  t.teardown(() => example.stop())
  const other = await startNode(t, env)
  const browser = await launchChromium()
  t.teardown(() => browser.close())
  const deviceAt = async (origin: string): Promise<Page> => {
    const context = await browser.newContext({ baseURL: origin })
    const { token } = await example.app.gosesh.createSession('grace')
    await context.addCookies([{ name: 'gosesh-example', value: token, url: origin }])
    const page = await context.newPage()
    await page.goto('/account')
    await isLive(page)
    return page
  }
  const here = await deviceAt(example.origin)
  const there = await deviceAt(other)
  let readAgain = false
  here.on('framenavigated', () => {
    readAgain = true
  })
  await signOutMany(there, 'Sign out all others')
  const signedOutAt = performance.now()
  t.equal(await becomesSignedOut(here), 'Your session has ended: by its time, or because it was signed out.')
  const elapsed = performance.now() - signedOutAt
  t.ok(elapsed < soon, `after ${Math.round(elapsed)} ms`)
  t.notOk(readAgain, 'and the page was not loaded again for it')
  await there.getByRole('status').getByText('All other devices are signed out.').waitFor()
  await isLive(there)
}

if (requireChromium()) {
  if (hasRedis(t)) {
    t.test('an open page hears of a sign-out at another node, by Redis', async (t) => {
      const { url } = await startRedis(t)
      const client = new Redis(url)
      t.teardown(() => client.disconnect())
      await endsElsewhere(t, new RedisStore(client), { REDIS_URL: url })
    })
  }
  const server = await startPostgres(t)
  if (server !== null) {
    t.test('an open page hears of a sign-out at another node, by PostgreSQL', async (t) => {
      const pool = new pg.Pool(server.connection)
      t.teardown(() => pool.end())
      const store = new PostgresStore(pool)
      await store.migrate()
      const { user, host, port, database } = server.connection
      const url = `postgres://${user}@${host}:${port}/${database}`
      await endsElsewhere(t, store, { POSTGRES_URL: url })
    })
  }
}
