import { Redis } from 'ioredis'
import pg from 'pg'
import t, { type Test } from 'tap'
import { MemoryStore, type SessionStore } from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { startPostgres } from '../tools/postgres-server.js'
import { hasRedis, startRedis } from '../tools/redis-server.js'
import { startExample } from './browser/scene.js'
import { signIn } from './example-fixtures.js'
import { Browser, locationOf } from './oauth/browser.js'

/** What the application does with data: before signing in, on the way through it, and after it. */
async function usesData(t: Test, store: SessionStore): Promise<void> {
  const { origin: url, issuer, stop } = await startExample({ store })
  t.teardown(stop)
  const example = { url, env: { PROVIDER_PORT: new URL(issuer).port } }
  const browser = new Browser()
  const page = async (path: string) => await (await browser.get(`${url}${path}`)).text()
  t.equal(locationOf(await browser.post(`${url}/note`, { note: 'Tea' })), `${url}/?next=/note`)
  t.match(await page('/?next=/note'), 'Your note is kept until you have signed in.')
  t.equal(await signIn(example, browser, { link: '/auth/local?next=/note' }), `${url}/note`)
  t.match(await page('/note'), 'name="note" value="Tea"')
  t.equal(locationOf(await browser.post(`${url}/note`, { note: 'Tea and cups' })), `${url}/account`)
  const account = await page('/account')
  t.match(account, 'Your note is saved.')
  t.match(account, 'Tea and cups')
  t.notMatch(await page('/account'), 'Your note is saved.')
  t.notMatch(await page('/note'), 'It is not saved yet.')
  await browser.post(`${url}/auth/sign-out`, {})
  t.equal((await browser.get(`${url}/account`)).status, 401)
}

t.test('the application keeps a note and messages in memory', async (t) => {
  await usesData(t, new MemoryStore())
})

if (hasRedis(t)) {
  t.test('the application keeps a note and messages in Redis', async (t) => {
    const server = await startRedis(t)
    const client = new Redis(server.url)
    t.teardown(() => client.disconnect())
    await usesData(t, new RedisStore(client))
  })
}

const server = await startPostgres(t)
if (server !== null) {
  t.test('the application keeps a note and messages in PostgreSQL', async (t) => {
    const pool = new pg.Pool(server.connection)
    t.teardown(() => pool.end())
    const store = new PostgresStore(pool)
    await store.migrate()
    await usesData(t, store)
  })
}
