import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import LibsqlDatabase from 'libsql'
import t, { type Test } from 'tap'
import { SqliteStore } from '../../lib/stores/sqlite/index.js'
import { activeAt, newSession, newSessions } from '../../lib/testing/fixtures.js'
import type { SessionId } from '../../types/session.js'

function open(t: Test, file: string): LibsqlDatabase.Database {
  const database = new LibsqlDatabase(file)
  t.teardown(() => database.open && database.close())
  return database
}

function importOf(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href)
}

const prelude = `
  import { createInterface } from 'node:readline'
  import LibsqlDatabase from ${JSON.stringify(import.meta.resolve('libsql'))}
  const { SqliteStore } = await import(${importOf('../../lib/stores/sqlite/store.ts')})
  const { newSession } = await import(${importOf('../../lib/testing/fixtures.ts')})
  const database = new LibsqlDatabase(process.env.SESSIONS_FILE)
  const store = new SqliteStore(database, { busyTimeout: 10_000 })
  const input = createInterface(process.stdin)[Symbol.asyncIterator]()
  console.log('ready')
  const order = JSON.parse((await input.next()).value)
`

interface Child {
  readonly process: ChildProcess
  /** The next line that the child printed, or `undefined` after the last. */
  line(): Promise<string | undefined>
  /** Starts the body, which finds this as `order`. */
  start(order: unknown): void
}

/** A process of its own that has the database open and waits to be started. TypeScript runs in it as it does here. */
async function spawnChild(t: Test, file: string, body: string): Promise<Child> {
  const child = spawn(
    process.execPath,
    [...process.execArgv, '--input-type=module', '--eval', `${prelude}${body}\nprocess.exit(0)`],
    { env: { ...process.env, SESSIONS_FILE: file }, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  t.teardown(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const line = async (): Promise<string | undefined> => (await lines.next()).value
  t.equal(await line(), 'ready')
  return { process: child, line, start: (order) => child.stdin.write(`${JSON.stringify(order)}\n`) }
}

/** Resolves the exit codes, once all have ended. */
async function exits(children: readonly Child[]): Promise<unknown[]> {
  return Promise.all(
    children.map(async ({ process }) => process.exitCode ?? (await once(process, 'exit'))[0]),
  )
}

t.test(
  'several processes that migrate one new file at once all succeed, and make the schema once',
  async (t) => {
    const file = join(t.testdir(), 'sessions.db')
    const children = await Promise.all(
      Array.from({ length: 4 }, () => spawnChild(t, file, 'await store.migrate()')),
    )
    for (const child of children) child.start(null)
    t.strictSame(await exits(children), [0, 0, 0, 0])
    const database = open(t, file)
    const versions = database.prepare('SELECT part, version FROM gosesh_schema ORDER BY part').all()
    t.match(versions, [
      { part: 'device_codes', version: 1 },
      { part: 'm_9007cedc', version: 1 },
      { part: 'm_a50749d1', version: 1 },
      { part: 'session_data', version: 1 },
      { part: 'sessions', version: 1 },
      { part: 'users', version: 1 },
    ])
    t.match(database.prepare('PRAGMA integrity_check').get(), { integrity_check: 'ok' })
  },
)

t.test(
  'two processes that write at once lose no update: of every session the latest time stands',
  async (t) => {
    const file = join(t.testdir(), 'sessions.db')
    const store = new SqliteStore(open(t, file), { busyTimeout: 10_000 })
    await store.migrate()
    const sessions = newSessions(20)
    for (const session of sessions) await store.createSession(session)
    const rounds = 100
    const body = `
    for (let round = 0; round < order.rounds; round++) {
      const at = new Date(order.from + 2 * round + order.offset)
      await store.batchRecordActivity(new Map(order.ids.map((id) => [id, at])))
      const created = newSession({ userId: 'made at once' })
      await store.createSession(created)
      if (round % 2 === 0 && !await store.deleteSession(created.id)) throw new Error('the session is not there')
    }`
    const children = await Promise.all([spawnChild(t, file, body), spawnChild(t, file, body)])
    const [{ lastActivityAt }] = sessions as [(typeof sessions)[number]]
    const from = lastActivityAt.getTime() + 1_000
    const ids = sessions.map(({ id }) => id)
    for (const [offset, child] of children.entries()) {
      child.start({ rounds, from, offset, ids: offset === 0 ? ids : ids.toReversed() })
    }
    t.strictSame(await exits(children), [0, 0])
    const last = new Date(from + 2 * (rounds - 1) + 1)
    for (const session of sessions) t.strictSame(await store.getSession(session.id), activeAt(session, last))
    t.equal(await store.deleteUserSessions('made at once'), rounds)
  },
)

t.test('a process that is killed while it writes loses nothing that it had acknowledged', async (t) => {
  const file = join(t.testdir(), 'sessions.db')
  const before = open(t, file)
  await new SqliteStore(before).migrate()
  const active = newSession()
  await new SqliteStore(before).createSession(active)
  // Else the file would be read through a connection that had not to recover it.
  before.close()
  const child = await spawnChild(
    t,
    file,
    `for (let made = 1; ; made++) {
      const session = newSession()
      await store.createSession(session)
      const at = order.from + made
      await store.batchRecordActivity(new Map([[order.id, new Date(at)]]))
      process.stdout.write(session.id + ' ' + at + '\\n')
    }`,
  )
  child.start({ id: active.id, from: active.lastActivityAt.getTime() })
  const acknowledged: string[] = []
  while (acknowledged.length < 30) acknowledged.push((await child.line()) ?? '')
  child.process.kill('SIGKILL')
  await once(child.process, 'exit')
  for (let line = await child.line(); line !== undefined; line = await child.line()) acknowledged.push(line)

  const database = open(t, file)
  const store = new SqliteStore(database)
  t.match(database.prepare('PRAGMA integrity_check').get(), { integrity_check: 'ok' })
  let latest = 0
  for (const [id = '', at = ''] of acknowledged.map((line) => line.split(' '))) {
    t.not(await store.getSession(id as SessionId), null, id)
    latest = Number(at)
  }
  const found = await store.getSession(active.id)
  t.ok(Number(found?.lastActivityAt) >= latest, 'its activity is there too')
  const moved = activeAt(active, new Date(latest + 1_000))
  t.equal(await store.extendSession(active.id, moved), true)
  t.strictSame(await store.getSession(active.id), moved, 'and writing goes on')
})
