import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import LibsqlDatabase from 'libsql'
import t, { type Test } from 'tap'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { SqliteStore } from '../../lib/stores/sqlite/index.js'
import { newSession } from '../../lib/testing/fixtures.js'
import type { SessionLister, SessionStore } from '../../types/store.js'
import { buildApp } from '../tools/app.js'
import { startPostgres } from '../tools/postgres-server.js'
import { hasRedis, startRedis } from '../tools/redis-server.js'

async function read(page: string): Promise<string> {
  return await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8')
}

/** The commands that a page gives for a shell. They import the package as it was built. */
async function commandsOf(page: string): Promise<string[]> {
  const [, section = ''] = /^## From a shell\n([\s\S]*?)^## /m.exec(await read(page)) ?? []
  return Array.from(section.matchAll(/^```sh\n([\s\S]*?)^```$/gm), ([, command = '']) => command)
}

/** Runs commands as somebody does who copies them from the page, and resolves what each prints. */
async function run(cwd: string, command: string | undefined, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const options = { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env } }
  return (await promisify(execFile)('sh', ['-c', command as string], options)).stdout
}

/** The commands to list and to end the sessions of a user do it. */
async function listAndEnd(
  t: Test,
  store: SessionStore & SessionLister,
  [list, end]: readonly string[],
  runCommand: (command: string | undefined) => Promise<string>,
): Promise<void> {
  const [session, other] = [newSession({ userId: 'the-user-id' }), newSession()]
  for (const each of [session, other]) await store.createSession(each)
  t.equal(await runCommand(list), `${JSON.stringify(await store.getSession(session.id))}\n`)
  t.equal(await runCommand(end), '1 sessions ended\n')
  t.equal(await runCommand(list), '')
  t.same(await store.listUserSessions('the-user-id'), [])
  t.not(await store.getSession(other.id), null)
}

t.test('the commands for SQLite', async (t) => {
  // In place of a driver that is compiled where it is installed: another one with the same interface.
  const driver = { 'index.js': "module.exports = require('libsql')" }
  const folder = t.testdir({ node_modules: { 'better-sqlite3': driver } })
  const [migrate, ...others] = await commandsOf('store-sqlite.md')
  t.equal(await run(folder, migrate), '')
  const database = new LibsqlDatabase(join(folder, 'sessions.db'))
  t.teardown(() => database.close())
  await listAndEnd(t, new SqliteStore(database), others, (command) => run(folder, command))
})

const postgres = await startPostgres(t)
if (postgres !== null) {
  t.test('the commands for PostgreSQL', async (t) => {
    const folder = t.testdir()
    const url = (port: number) => ({ DATABASE_URL: `postgres://postgres@127.0.0.1:${port}/postgres` })
    const [migrate, ...others] = await commandsOf('store-postgres.md')
    await t.rejects(run(folder, migrate, url(1)), { code: 1 }, 'a step of a deployment that fails says so')
    const env = url(postgres.port)
    t.equal(await run(folder, migrate, env), '')
    const store = new PostgresStore(postgres.pool(t))
    await listAndEnd(t, store, others, (command) => run(folder, command, env))
  })
}

t.test('the commands for Redis', async (t) => {
  if (!hasRedis(t)) return
  const server = await startRedis(t)
  const folder = t.testdir()
  const client = new Redis(server.url)
  t.teardown(() => client.quit())
  const commands = await commandsOf('store-redis.md')
  const env = { REDIS_URL: server.url }
  await listAndEnd(t, new RedisStore(client), commands, (command) => run(folder, command, env))
})

t.test('the routes for health and readiness', async (t) => {
  const [, code = ''] = /```js\n(app\.get\('\/health'[\s\S]*?)```/.exec(await read('operations.md')) ?? []
  const database = new LibsqlDatabase(join(t.testdir(), 'sessions.db'))
  const store = new SqliteStore(database)
  await store.migrate()
  const app = buildApp(t, { store, sweepInterval: null })
  const routes = code.replaceAll("'/health'", "'/live'")
  new Function('app', 'store', routes)(app, store)
  t.equal((await app.inject('/ready')).body, 'ready')
  database.close()
  const response = await app.inject('/ready')
  t.equal(response.statusCode, 503)
  t.equal(response.body, 'not ready')
  t.equal((await app.inject('/live')).body, 'ok')
})
