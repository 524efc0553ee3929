import { createRequire } from 'node:module'
import { join } from 'node:path'
import LibsqlDatabase from 'libsql'
import t from 'tap'
import { type SqliteDatabase, SqliteStore, type SqliteStoreOptions } from '../../lib/stores/sqlite/index.js'
import { activeAt, later, newSession } from '../../lib/testing/fixtures.js'
import {
  deviceCodeStoreContract,
  sessionDataStoreContract,
  sessionStoreContract,
} from '../../lib/testing/index.js'
import { batchOf, connect, everyCall, makeStore, type Open, rejection, tablesOf } from './sqlite-fixtures.js'

const require = createRequire(import.meta.url)

/** How to open a database with a driver that may be absent; one that is there and does not load fails the tests. */
function opener(name: string, exported?: string): Open | null {
  try {
    const module = require(name)
    const Database = exported === undefined ? module : module[exported]
    return (path) => new Database(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'MODULE_NOT_FOUND' || code === 'ERR_UNKNOWN_BUILTIN_MODULE') return null
    throw error
  }
}

const drivers: { name: string; open: Open | null; remedy: string }[] = [
  { name: 'libsql', open: (path) => new LibsqlDatabase(path), remedy: 'npm ci' },
  { name: 'better-sqlite3', open: opener('better-sqlite3'), remedy: 'npm install --no-save better-sqlite3' },
  {
    name: 'node:sqlite',
    open: opener('node:sqlite', 'DatabaseSync'),
    remedy: 'run the tests with Node 22 or later',
  },
]

for (const { name, open, remedy } of drivers) {
  if (open === null) {
    const reason = `${name} is not here, so no store is tested on it; to have it: ${remedy}`
    t.comment(reason)
    t.test(name, { skip: reason }, async (t) => t.fail(reason))
    continue
  }
  t.test(name, async (t) => {
    t.testdir()
    let made = 0
    const createStore = async (): Promise<SqliteStore> => {
      made++
      const database = open(join(t.testdirName, `contract-${made}.db`))
      t.teardown(() => database.close())
      const store = new SqliteStore(database)
      await store.migrate()
      return store
    }
    sessionStoreContract({
      test: (name, run) => t.test(name, run),
      capabilities: [
        'batchRecordActivity',
        'listUserSessions',
        'deleteExpiredSessions',
        'deleteAllSessions',
        'deleteSessionsByMetadata',
        'updateSession',
        'deleteUser',
        'checkSchema',
      ],
      createStore,
    })
    deviceCodeStoreContract({ test: (name, run) => t.test(name, run), createStore })
    sessionDataStoreContract({ test: (name, run) => t.test(name, run), createStore })

    t.test('a session survives the closing of the database', async (t) => {
      const { store, database } = await makeStore(t, {}, open)
      const session = newSession({ metadata: { device: 'phone' } })
      await store.createSession(session)
      database.close()
      t.strictSame(await new SqliteStore(connect(t, open)).getSession(session.id), session)
    })

    t.test(
      'a read is open no longer than its call: the next sees what another connection wrote',
      async (t) => {
        const { store } = await makeStore(t, {}, open)
        const other = new SqliteStore(connect(t, open))
        const session = newSession()
        await store.createSession(session)
        for (const ms of [1, 2, 3]) {
          const moved = activeAt(session, later(session.lastActivityAt, ms))
          await other.extendSession(session.id, moved)
          t.strictSame(await store.getSession(session.id), moved)
          t.strictSame(await store.listUserSessions(session.userId), [moved])
        }
        t.equal(await store.deleteSession(session.id), true)
        t.equal(await other.getSession(session.id), null)
      },
    )

    t.test('integers that the driver reads as bigint come out as dates and numbers', async (t) => {
      const { database } = await makeStore(t, {}, open)
      const store = new SqliteStore({
        exec: (sql) => database.exec(sql),
        prepare(sql) {
          const statement = database.prepare(sql) as ReturnType<SqliteDatabase['prepare']> & {
            safeIntegers?(on: boolean): void
            setReadBigInts?(on: boolean): void
          }
          statement.safeIntegers?.(true)
          statement.setReadBigInts?.(true)
          return statement
        },
      })
      const session = newSession()
      await store.createSession(session)
      t.strictSame(await store.getSession(session.id), session)
      t.strictSame(await store.listUserSessions(session.userId), [session])
      const moved = activeAt(session, later(session.lastActivityAt, 1))
      t.equal(await store.batchRecordActivity(batchOf([moved])), 1)
      t.equal(await store.deleteExpiredSessions(later(moved.absoluteDeadline, 1), 100), 1)
    })

    t.test('a closed database is unavailable, and never without sessions', async (t) => {
      const { store, database } = await makeStore(t, {}, open)
      const session = newSession()
      await store.createSession(session)
      await store.getSession(session.id)
      database.close()
      for (const [method, call] of Object.entries(everyCall(store, session))) {
        t.match(await rejection(call()), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: Error }, method)
      }
    })

    t.test(
      'without its tables every method rejects with the schema code, and works after migrate',
      async (t) => {
        t.testdir()
        const store = new SqliteStore(connect(t, open))
        for (const [method, call] of Object.entries(everyCall(store))) {
          const error = await rejection(call())
          t.equal(error.code, 'GOSESH_ERR_STORE_SCHEMA', method)
          t.match(error.message, 'await store.migrate()')
        }
        await store.migrate()
        await Promise.all(Object.values(everyCall(store)).map((call) => call()))
      },
    )

    t.test(
      'a database that another connection has locked is unavailable within the busy timeout',
      async (t) => {
        const { store } = await makeStore(t, { busyTimeout: 100 }, open)
        const session = newSession()
        await store.createSession(session)
        const other = connect(t, open)
        other.exec('BEGIN IMMEDIATE')
        const started = performance.now()
        const error = await rejection(store.deleteSession(session.id))
        const waited = performance.now() - started
        t.match(error, { code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503, cause: Error })
        t.ok(waited >= 90 && waited < 1_000, `${waited} ms`)
        t.strictSame(await store.getSession(session.id), session, 'reading goes on')
        other.exec('COMMIT')
        t.equal(await store.deleteSession(session.id), true)
      },
    )

    t.test(
      'what is written after a write that waited for a lock in vain is committed, and stays',
      async (t) => {
        const { store } = await makeStore(t, { busyTimeout: 10 }, open)
        const [refused, kept, ended] = [newSession(), newSession(), newSession()]
        await store.createSession(ended)
        const other = connect(t, open)
        const elsewhere = new SqliteStore(other, { busyTimeout: 10 })
        const attempts = [
          () => store.createSession(refused),
          () => store.upsertUser('idp|ada'),
          () => store.deleteSessionsByMetadata({ nobody: 'has' }),
        ]
        for (const attempt of attempts) {
          other.exec('BEGIN IMMEDIATE')
          t.equal((await rejection(attempt())).code, 'GOSESH_ERR_STORE_UNAVAILABLE')
          other.exec('COMMIT')
        }
        await store.createSession(kept)
        await store.deleteSession(ended.id)
        t.strictSame(await elsewhere.getSession(kept.id), kept)
        t.equal(await elsewhere.getSession(ended.id), null)
        await elsewhere.deleteSession(refused.id)
        await rejection(store.createSession(kept))
        t.strictSame(await elsewhere.getSession(kept.id), kept)
      },
    )

    t.test('what is written in a transaction of the application is part of it', async (t) => {
      const { store, database } = await makeStore(t, {}, open)
      const session = newSession()
      database.exec('BEGIN')
      await store.createSession(session)
      database.exec('ROLLBACK')
      t.equal(await store.getSession(session.id), null)
      await store.createSession(session)
      database.exec('BEGIN')
      t.equal(
        await store.batchRecordActivity(new Map([[session.id, later(session.lastActivityAt, 1_000)]])),
        1,
      )
      database.exec('ROLLBACK')
      t.strictSame(await store.getSession(session.id), session, 'a flush too')
    })

    t.test('a session that exists already is no driver error', async (t) => {
      const { store } = await makeStore(t, {}, open)
      const session = newSession()
      await store.createSession(session)
      const error = await rejection(store.createSession(session))
      t.match(error, { code: 'GOSESH_ERR_SESSION_EXISTS', cause: undefined })
    })
  })
}

t.test('options that are wrong are named', async (t) => {
  const database = new LibsqlDatabase(':memory:')
  t.teardown(() => database.close())
  const make =
    (options: object, given: unknown = database): (() => SqliteStore) =>
    () =>
      new SqliteStore(given as SqliteDatabase, options as SqliteStoreOptions)
  const wrong: [() => SqliteStore, RegExp][] = [
    [make({}, 'sessions.db'), /Option database is a string; expected an open database/],
    [make({}, null), /Option database is null/],
    [make({ table: 'x' }), /SqliteStore.table/],
    [make([]), /SqliteStore is \[\]/],
    [make({ busyTimeout: 0 }), /busyTimeout is 0/],
    [make({ upsertUser: 'users' }), /upsertUser is 'users'; expected a function/],
    ...['', '1_', 'a-b', 'a"b', 'a.b', 'sqlite_', 'SQLite_x', 'é_', 'a\n', 'x'.repeat(41), 7].map(
      (tablePrefix): [() => SqliteStore, RegExp] => [make({ tablePrefix }), /Option tablePrefix is /],
    ),
  ]
  for (const [attempt, message] of wrong) t.throws(attempt, { code: 'GOSESH_ERR_OPTION', message })
})

t.test('options that are undefined are as if not given', async (t) => {
  const options = { busyTimeout: undefined, tablePrefix: undefined, upsertUser: undefined }
  const { database } = await makeStore(t, options)
  t.strictSame(tablesOf(database), [
    'gosesh_device_codes',
    'gosesh_schema',
    'gosesh_session_data',
    'gosesh_sessions',
    'gosesh_users',
  ])
})

t.test(
  'migrate sets the file to WAL, and the connection to the busy timeout and full durability',
  async (t) => {
    const { database } = await makeStore(t, { busyTimeout: 321 })
    t.match(database.prepare('PRAGMA journal_mode').get(), { journal_mode: 'wal' })
    t.match(database.prepare('PRAGMA busy_timeout').get(), { timeout: 321 })
    t.match(database.prepare('PRAGMA synchronous').get(), { synchronous: 2 })
  },
)

t.test('a flush does not wait for the disk, and leaves the setting as it was', async (t) => {
  const { store, database } = await makeStore(t)
  const session = newSession()
  await store.createSession(session)
  const levels: unknown[] = []
  const level = (): unknown =>
    Number((database.prepare('PRAGMA synchronous').get() as { synchronous: number }).synchronous)
  const exec = database.exec.bind(database)
  t.capture(database, 'exec', (sql: string) => {
    if (sql === 'COMMIT') levels.push(level())
    return exec(sql)
  })
  let at = session.lastActivityAt
  for (const set of [0, 1, 2, 3]) {
    exec(`PRAGMA synchronous = ${set}`)
    at = later(at, 1_000)
    t.equal(await store.batchRecordActivity(new Map([[session.id, at]])), 1)
    levels.push(level())
  }
  t.strictSame(levels, [0, 0, 1, 1, 1, 2, 1, 3])
  await store.deleteSession(session.id)
  t.strictSame(levels.slice(8), [3], 'and a sign-out waits for it')
})
