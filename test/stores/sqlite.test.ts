import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import LibsqlDatabase from 'libsql'
import t, { type Test } from 'tap'
import { GoseshError } from '../../lib/core/errors.js'
import { userIdOf } from '../../lib/core/user-id.js'
import { metadataIndexName } from '../../lib/stores/shared/metadata.js'
import { type SqliteDatabase, SqliteStore, type SqliteStoreOptions } from '../../lib/stores/sqlite/index.js'
import {
  sqliteIndexedFact,
  sqliteSessionsPart,
  sqliteUsersPart,
  sqliteVersionTable,
} from '../../lib/stores/sqlite/migrations.js'
import { decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { activeAt, hour, later, minute, newSession, newSessions } from '../../lib/testing/fixtures.js'
import { deviceCodeStoreContract, sessionStoreContract } from '../../lib/testing/index.js'
import type { DeviceCode } from '../../types/device-code.js'
import type { Session, SessionId } from '../../types/session.js'

type OpenDatabase = SqliteDatabase & { readonly isOpen?: boolean; close(): unknown }
type Open = (path: string) => OpenDatabase

/** The file of the test's own database. */
function fileOf(t: Test): string {
  return join(t.testdirName, 'sessions.db')
}

/** Opens the file of the test, which may be open already. */
function connect(t: Test, open: Open = (path) => new LibsqlDatabase(path)): OpenDatabase {
  const database = open(fileOf(t))
  t.teardown(() => database.open !== false && database.isOpen !== false && database.close())
  return database
}

/** A store on a new file. */
async function makeStore(
  t: Test,
  options?: SqliteStoreOptions,
  open?: Open,
): Promise<{ store: SqliteStore; database: OpenDatabase }> {
  t.testdir()
  const database = connect(t, open)
  const store = new SqliteStore(database, options)
  await store.migrate()
  return { store, database }
}

/** The database, with `around` in the way of every run of a statement. */
function intercept(
  database: SqliteDatabase,
  around: (run: () => unknown, sql: string) => unknown,
): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql)
      return {
        run: (...values) => around(() => statement.run(...values), sql) as { changes: number },
        get: (...values) => around(() => statement.get(...values), sql),
        all: (...values) => around(() => statement.all(...values), sql) as unknown[],
      }
    },
  }
}

/** The database, failing the first few times that this SQL is executed. */
function failing(database: SqliteDatabase, sql: string, times: number): SqliteDatabase {
  let failed = 0
  return {
    prepare: (text) => database.prepare(text),
    exec(text) {
      if (text === sql && failed++ < times) throw new Error('database is locked')
      return database.exec(text)
    },
  }
}

/** The database, with the SQL of everything that is prepared and that runs. */
function watch(database: SqliteDatabase): SqliteDatabase & { prepared: string[]; ran: string[] } {
  const prepared: string[] = []
  const ran: string[] = []
  const watched = intercept(database, (run, sql) => {
    ran.push(sql)
    return run()
  })
  return {
    ...watched,
    prepared,
    ran,
    prepare(sql) {
      prepared.push(sql)
      return watched.prepare(sql)
    },
  }
}

function tablesOf(database: SqliteDatabase): string[] {
  const rows = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
  return (rows as { name: string }[]).map(({ name }) => name).filter((name) => !name.startsWith('sqlite_'))
}

function schemaOf(database: SqliteDatabase): unknown[] {
  const rows = database
    .prepare('SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name')
    .all() as { type: string; name: string; sql: string }[]
  return rows.map(({ type, name, sql }) => ({ type, name, sql }))
}

function batchOf(sessions: readonly Session[]): Map<SessionId, Date> {
  return new Map(sessions.map(({ id, lastActivityAt }) => [id, lastActivityAt]))
}

/** One call of every method that reaches the database. */
function everyCall(
  store: SqliteStore,
  session: Session = newSession(),
  code: DeviceCode = newDeviceCode(),
): Record<string, () => Promise<unknown>> {
  return {
    createDeviceCode: () => store.deviceCodes.createDeviceCode(code),
    getDeviceCode: () => store.deviceCodes.getDeviceCode(code.id),
    findDeviceCode: () => store.deviceCodes.findDeviceCode(code.userCodeId),
    recordDevicePoll: () =>
      store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: code.createdAt }),
    decideDeviceCode: () => store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')),
    consumeDeviceCode: () => store.deviceCodes.consumeDeviceCode(code.id),
    deleteExpiredDeviceCodes: () => store.deviceCodes.deleteExpiredDeviceCodes(new Date(), 100),
    'deleteSessionsByMetadata, oidc_sid': () => store.deleteSessionsByMetadata({ oidc_sid: 'a' }),
    'deleteSessionsByMetadata, oidc_sub': () => store.deleteSessionsByMetadata({ oidc_sub: 'a' }),
    'deleteSessionsByMetadata, other': () => store.deleteSessionsByMetadata({ device: 'phone' }),
    upsertUser: () => store.upsertUser('oidc|1'),
    createSession: () => store.createSession(session),
    getSession: () => store.getSession(session.id),
    extendSession: () => store.extendSession(session.id, session),
    deleteSession: () => store.deleteSession(session.id),
    deleteUserSessions: () => store.deleteUserSessions(session.userId),
    batchRecordActivity: () => store.batchRecordActivity(batchOf([session])),
    listUserSessions: () => store.listUserSessions(session.userId),
    deleteExpiredSessions: () => store.deleteExpiredSessions(new Date(), 100),
    deleteAllSessions: () => store.deleteAllSessions(),
  }
}

/** What the call rejects with. */
async function rejection(call: Promise<unknown>): Promise<GoseshError> {
  const error = await call.then(
    () => null,
    (error: unknown) => error,
  )
  if (error instanceof GoseshError) return error
  throw new Error('the call did not reject with a GoseshError', { cause: error })
}

/** Fills the table without the store: `count` sessions of one user that ended at `deadline`, or are without limit. */
function fill(database: SqliteDatabase, count: number, deadline: number): void {
  database
    .prepare(
      `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
      INSERT INTO gosesh_sessions (id, user_id, created_at, last_activity_at, absolute_deadline)
      SELECT 'filler-' || ? || '-' || i, 'filler', 0, 0, ? FROM n WHERE i > 0`,
    )
    .run(count, deadline, deadline)
}

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
        'checkSchema',
      ],
      createStore,
    })
    deviceCodeStoreContract({ test: (name, run) => t.test(name, run), createStore })

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

t.test('migrate is idempotent: a second run changes nothing and keeps the sessions', async (t) => {
  const { store, database } = await makeStore(t)
  const session = newSession()
  await store.createSession(session)
  const schema = schemaOf(database)
  await store.migrate()
  t.strictSame(schemaOf(database), schema)
  t.strictSame(await store.getSession(session.id), session)
})

t.test('migrate leaves user_version to the application', async (t) => {
  t.testdir()
  const database = connect(t)
  database.exec('PRAGMA user_version = 42')
  await new SqliteStore(database).migrate()
  t.match(database.prepare('PRAGMA user_version').get(), { user_version: 42 })
})

t.test('a migration that fails leaves nothing behind', async (t) => {
  t.testdir()
  const database = connect(t)
  database.exec('CREATE TABLE gosesh_users (id TEXT)')
  const error = await rejection(new SqliteStore(database).migrate())
  t.match(error, { code: 'GOSESH_ERR_STORE_SCHEMA', cause: { message: /gosesh_users already exists/ } })
  t.strictSame(tablesOf(database), ['gosesh_users'])
  database.exec('BEGIN; COMMIT')
})

t.test('a migration that fails says why, also where it cannot be rolled back', async (t) => {
  t.testdir()
  const database = connect(t)
  database.exec('CREATE TABLE gosesh_users (id TEXT)')
  const error = await rejection(new SqliteStore(failing(database, 'ROLLBACK', 1)).migrate())
  t.match(error.cause, { message: /gosesh_users already exists/ })
})

t.test('migrate tries again where another connection is switching the file to WAL', async (t) => {
  t.testdir()
  const database = connect(t)
  await new SqliteStore(failing(database, 'PRAGMA journal_mode = WAL', 2)).migrate()
  t.match(database.prepare('PRAGMA journal_mode').get(), { journal_mode: 'wal' })
  t.strictSame(tablesOf(database), [
    'gosesh_device_codes',
    'gosesh_schema',
    'gosesh_sessions',
    'gosesh_users',
  ])
})

t.test('migrate gives up where the file cannot be switched to WAL', async (t) => {
  t.testdir()
  const database = connect(t)
  const store = new SqliteStore(failing(database, 'PRAGMA journal_mode = WAL', Number.POSITIVE_INFINITY))
  t.match(await rejection(store.migrate()), {
    code: 'GOSESH_ERR_STORE_UNAVAILABLE',
    cause: { message: 'database is locked' },
  })
  t.strictSame(tablesOf(database), [])
})

t.test('migrate in the middle of a transaction of the application rejects and leaves it open', async (t) => {
  const { store, database } = await makeStore(t)
  database.exec('CREATE TABLE notes (text TEXT); BEGIN')
  database.exec("INSERT INTO notes VALUES ('kept')")
  t.equal((await rejection(store.migrate())).code, 'GOSESH_ERR_STORE_UNAVAILABLE')
  database.exec('COMMIT')
  t.match(database.prepare('SELECT text FROM notes').all(), [{ text: 'kept' }])
})

t.test('a schema with fewer parts is brought to this version, its sessions kept and found', async (t) => {
  t.testdir()
  const database = connect(t)
  const [sessions, users] = [sqliteSessionsPart('gosesh_'), sqliteUsersPart('gosesh_')]
  database.exec(`${sqliteVersionTable('gosesh_')} ${sessions.migrations[0]} ${users.migrations[0]}`)
  database.exec("INSERT INTO gosesh_schema VALUES ('sessions', 1), ('users', 1)")
  const [first, broken] = [newSession(), newSession()]
  for (const [{ id, userId }, metadata] of [
    [first, '{"oidc_sub":"ada"}'],
    [broken, '{"oidc_sub":'],
  ] as const) {
    database
      .prepare(
        `INSERT INTO gosesh_sessions (id, user_id, created_at, last_activity_at, absolute_deadline, metadata)
        VALUES (?, ?, 0, 0, 0, ?)`,
      )
      .run(id, userId, metadata)
  }
  const store = new SqliteStore(database)
  t.equal((await rejection(store.getSession(first.id))).code, 'GOSESH_ERR_STORE_SCHEMA')
  await store.migrate()
  const { database: fresh } = await makeStore(t)
  t.strictSame(schemaOf(database), schemaOf(fresh))
  t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }), [first.id])
  t.equal(await store.deviceCodes.createDeviceCode(newDeviceCode()), true)
})

t.test('a schema older than the code rejects with the schema code', async (t) => {
  const { database } = await makeStore(t)
  database.exec('UPDATE gosesh_schema SET version = 0')
  for (const [method, call] of Object.entries(everyCall(new SqliteStore(database)))) {
    t.equal((await rejection(call())).code, 'GOSESH_ERR_STORE_SCHEMA', method)
  }
})

t.test('a schema newer than the code is used, and migrate leaves it as it is', async (t) => {
  const { database } = await makeStore(t)
  database.exec('UPDATE gosesh_schema SET version = 99')
  const store = new SqliteStore(database)
  await store.migrate()
  await store.createSession(newSession())
  t.match(database.prepare('SELECT DISTINCT version FROM gosesh_schema').all(), [{ version: 99 }])
})

t.test('a table or an index dropped under a running store is a schema error', async (t) => {
  const { store, database } = await makeStore(t)
  const session = newSession()
  await store.createSession(session)
  database.exec('DROP INDEX gosesh_sessions_user_id')
  t.equal((await rejection(store.listUserSessions(session.userId))).code, 'GOSESH_ERR_STORE_SCHEMA')
  database.exec('DROP TABLE gosesh_sessions')
  t.equal((await rejection(store.getSession(session.id))).code, 'GOSESH_ERR_STORE_SCHEMA')
})

t.test('a table prefix keeps the sessions of two applications apart in one database', async (t) => {
  const { store, database } = await makeStore(t)
  const other = new SqliteStore(database, { tablePrefix: 'Other_' })
  t.equal((await rejection(other.getSession(newSession().id))).code, 'GOSESH_ERR_STORE_SCHEMA')
  await other.migrate()
  const [session, others] = [newSession(), newSession()]
  await store.createSession(session)
  await other.createSession(others)
  t.equal(await other.deleteAllSessions(), 1)
  t.strictSame(await store.getSession(session.id), session)
})

t.test('the schema in the documentation is the one that migrate makes', async (t) => {
  const { database } = await makeStore(t)
  const text = await readFile(new URL('../../docs/store-sqlite.md', import.meta.url), 'utf8')
  const [, sql = ''] = /```sql\n(PRAGMA journal_mode[\s\S]*?)```/.exec(text) ?? []
  const byHand = new LibsqlDatabase(join(t.testdirName, 'by-hand.db'))
  t.teardown(() => byHand.close())
  byHand.exec(sql)
  t.strictSame(schemaOf(byHand), schemaOf(database))
  const versions = 'SELECT part, version FROM gosesh_schema ORDER BY part'
  t.strictSame(byHand.prepare(versions).all(), database.prepare(versions).all())
  await Promise.all(Object.values(everyCall(new SqliteStore(byHand))).map((call) => call()))
})

t.test('every other query in the documentation runs', async (t) => {
  const { store, database } = await makeStore(t)
  const session = newSession({ metadata: { device: 'phone' } })
  await store.createSession(session)
  const text = await readFile(new URL('../../docs/store-sqlite.md', import.meta.url), 'utf8')
  const queries = Array.from(text.matchAll(/```sql\n((?:SELECT|DELETE)[\s\S]*?)```/g), ([, sql = '']) => sql)
  t.equal(queries.length, 5)
  for (const sql of queries) database.exec(sql.replace('the user id', session.userId))
  t.equal(await store.getSession(session.id), null)
  const [signedIn = ''] = queries
  await store.createSession(session)
  const readable = (date: Date | null): string => `${date?.toISOString().slice(0, 19).replace('T', ' ')}`
  t.match(database.prepare(signedIn).all(), [
    {
      user_id: session.userId,
      id: session.id,
      signed_in: readable(session.createdAt),
      last_activity: readable(session.lastActivityAt),
      ends: readable(session.idleDeadline),
    },
  ])
})

t.test('upsertUser: derives the id, keeps when the user was made and moves when last seen', async (t) => {
  const { store, database } = await makeStore(t)
  const started = Date.now()
  t.equal(await store.upsertUser('oidc|1'), userIdOf('oidc|1'))
  database.exec('UPDATE gosesh_users SET created_at = 1, last_seen_at = 2')
  t.equal(await store.upsertUser('oidc|1'), userIdOf('oidc|1'))
  const rows = database
    .prepare('SELECT id, auth_provider_id, created_at, last_seen_at FROM gosesh_users')
    .all()
  const [{ last_seen_at: lastSeen, ...row }] = rows as [{ last_seen_at: number }]
  t.strictSame(row, { id: userIdOf('oidc|1'), auth_provider_id: 'oidc|1', created_at: 1 })
  t.ok(lastSeen >= started - 1 && lastSeen <= Date.now() + 1, `${lastSeen}`)
})

t.test('upsertUser: a user that was there before keeps the id', async (t) => {
  const { store, database } = await makeStore(t)
  database.exec("INSERT INTO gosesh_users VALUES ('imported', 'oidc|1', 1, 1)")
  t.equal(await store.upsertUser('oidc|1'), 'imported')
})

t.test('upsertUser: of the application itself makes no users table', async (t) => {
  const upsertUser = async (authProviderId: string): Promise<string> => `own-${authProviderId}`
  const { store, database } = await makeStore(t, { upsertUser })
  t.strictSame(tablesOf(database), ['gosesh_device_codes', 'gosesh_schema', 'gosesh_sessions'])
  t.equal(await store.upsertUser('oidc|1'), 'own-oidc|1')
  await Promise.all(Object.values(everyCall(store)).map((call) => call()))
})

t.test('upsertUser: of the application itself rejects as it will, thrown or not', async (t) => {
  const upsertUser = (): Promise<string> => {
    throw new TypeError('no such directory')
  }
  const { store } = await makeStore(t, { upsertUser })
  await t.rejects(store.upsertUser('oidc|1'), new TypeError('no such directory'))
})

t.test('the users table is made later where the application gives up its own', async (t) => {
  const { store, database } = await makeStore(t, { upsertUser: async (id) => id })
  const session = newSession()
  await store.createSession(session)
  const without = new SqliteStore(database)
  t.equal((await rejection(without.getSession(session.id))).code, 'GOSESH_ERR_STORE_SCHEMA')
  await without.migrate()
  t.equal(await without.upsertUser('oidc|1'), userIdOf('oidc|1'))
  t.strictSame(await without.getSession(session.id), session)
})

t.test('metadata that was changed by hand is unreadable, and not quoted', async (t) => {
  const { store, database } = await makeStore(t)
  const session = newSession()
  await store.createSession(session)
  for (const metadata of ['{', '[]', '1', 'null', '{"a":1}']) {
    database.prepare('UPDATE gosesh_sessions SET metadata = ?').run(metadata)
    const error = await rejection(store.getSession(session.id))
    t.equal(error.code, 'GOSESH_ERR_STORE_UNAVAILABLE', metadata)
    t.equal(error.cause, undefined)
  }
})

t.test('metadata that was changed by hand keeps no other session from being found', async (t) => {
  const { store, database } = await makeStore(t)
  const [found, ...broken] = newSessions(6, { metadata: { oidc_sub: 'ada', device: 'phone' } })
  for (const session of [found as Session, ...broken]) await store.createSession(session)
  for (const [i, metadata] of [
    '{"oidc_sub":"ada"',
    '[]',
    '1',
    '{"oidc_sub":{}}',
    '{"oidc_sub":1}',
  ].entries()) {
    database
      .prepare('UPDATE gosesh_sessions SET metadata = ? WHERE id = ?')
      .run(metadata, broken[i]?.id as string)
  }
  t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: '1' }), [])
  t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: '{}' }), [])
  t.strictSame(await store.deleteSessionsByMetadata({ device: 'tablet' }), [])
  t.strictSame(await store.deleteSessionsByMetadata({ device: 'phone' }), [found?.id])
  t.equal(await store.deleteUserSessions('user'), 5)
})

t.test('metadata of a device code that was changed by hand is unreadable, and not quoted', async (t) => {
  const { store, database } = await makeStore(t)
  const code = newDeviceCode()
  await store.deviceCodes.createDeviceCode(code)
  database.exec(`UPDATE gosesh_device_codes SET metadata = '{"a":1}'`)
  for (const call of [
    store.deviceCodes.getDeviceCode(code.id),
    store.deviceCodes.findDeviceCode(code.userCodeId),
  ]) {
    t.match(await rejection(call), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: undefined })
  }
})

t.test('no hand can leave a device code approved for nobody', async (t) => {
  const { store, database } = await makeStore(t)
  await store.deviceCodes.createDeviceCode(newDeviceCode())
  for (const change of ["status = 'approved'", "user_id = 'eve'", "status = 'other'"]) {
    t.throws(() => database.exec(`UPDATE gosesh_device_codes SET ${change}`), /CHECK constraint/)
  }
})

t.test('a session without the keys that logout goes by is in neither of their indexes', async (t) => {
  const { store, database } = await makeStore(t)
  await store.createSession(newSession())
  await store.createSession(newSession({ metadata: { device: 'phone' } }))
  await store.createSession(newSession({ metadata: { oidc_iss: 'op', oidc_sub: 'ada' } }))
  const watched = watch(database)
  const counting = new SqliteStore(watched)
  await counting.createSession(newSession({ metadata: { oidc_sid: '1' } }))
  t.equal(watched.ran.filter((sql) => /INSERT/.test(sql)).length, 1, 'and a sign-in is one statement')
  for (const key of ['oidc_sid', 'oidc_sub']) {
    const fact = sqliteIndexedFact(key)
    const from = `gosesh_sessions INDEXED BY gosesh_sessions_${metadataIndexName(key)} WHERE ${fact} IS NOT NULL`
    t.match(database.prepare(`SELECT count(*) AS entries FROM ${from}`).get(), { entries: 1 })
  }
})

t.test('a key of indexedMetadata gets its index, and without it start-up would fail', async (t) => {
  const { database } = await makeStore(t)
  const store = new SqliteStore(database, { indexedMetadata: ['device name', '$.x', 'oidc_sub'] })
  t.equal((await rejection(store.checkSchema())).code, 'GOSESH_ERR_STORE_SCHEMA')
  await store.migrate()
  await store.checkSchema()
  for (const key of ['device name', '$.x']) {
    const [one, other] = [newSession({ metadata: { [key]: 'x' } }), newSession()]
    for (const session of [one, other]) await store.createSession(session)
    const watched = watch(database)
    const watching = new SqliteStore(watched, { indexedMetadata: ['device name', '$.x'] })
    t.strictSame(await watching.deleteSessionsByMetadata({ [key]: 'x' }), [one.id])
    t.ok(watched.ran.some((sql) => sql.includes(`INDEXED BY gosesh_sessions_${metadataIndexName(key)}`)))
  }
  await new SqliteStore(database).checkSchema()
})

t.test('migrating over a table that somebody else made says so', async (t) => {
  t.testdir()
  const database = connect(t)
  database.exec('CREATE TABLE gosesh_sessions (x)')
  const error = await rejection(new SqliteStore(database).migrate())
  t.equal(error.code, 'GOSESH_ERR_STORE_SCHEMA')
  t.match(error.message, /exists already/)
})

t.test('whatever else the driver throws is the cause of an error that gives nothing away', async (t) => {
  const { store, database } = await makeStore(t, { upsertUser: async (id) => id })
  const session = newSession()
  await store.createSession(session)
  database.exec('PRAGMA query_only = ON')
  const error = await rejection(store.deleteSession(session.id))
  t.match(error, { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: { message: /readonly database/ } })
  t.equal(error.message, new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE').message)
})

t.test('a connection that may only read serves reads', async (t) => {
  const { store } = await makeStore(t)
  const session = newSession()
  await store.createSession(session)
  const reader = connect(t)
  reader.exec('PRAGMA query_only = ON')
  t.strictSame(await new SqliteStore(reader).getSession(session.id), session)
})

t.test('a database in memory works', async (t) => {
  const database = new LibsqlDatabase(':memory:')
  t.teardown(() => database.close())
  const store = new SqliteStore(database)
  await store.migrate()
  const session = newSession()
  await store.createSession(session)
  t.strictSame(await store.getSession(session.id), session)
})

t.test('a batch is one run of one statement', async (t) => {
  const { database } = await makeStore(t)
  const watched = watch(database)
  const store = new SqliteStore(watched)
  const sessions = newSessions(50)
  for (const session of sessions) await store.createSession(session)
  watched.ran.length = 0
  const moved = sessions.map((session) => activeAt(session, later(session.lastActivityAt, minute)))
  t.equal(await store.batchRecordActivity(batchOf(moved)), 50)
  const statements = watched.ran.filter((sql) => !sql.startsWith('PRAGMA'))
  t.equal(statements.length, 1)
  t.match(statements[0], /UPDATE/)
})

t.test('an empty batch does not reach the database', async (t) => {
  const { database } = await makeStore(t)
  const watched = watch(database)
  t.equal(await new SqliteStore(watched).batchRecordActivity(new Map()), 0)
  t.strictSame(watched.prepared, [])
})

t.test('a statement is prepared once', async (t) => {
  const { database } = await makeStore(t)
  const watched = watch(database)
  const store = new SqliteStore(watched)
  for (let round = 0; round < 3; round++) {
    for (const call of Object.values(everyCall(store))) await call()
  }
  t.equal(new Set(watched.prepared).size, watched.prepared.length)
})

/** How the planner means to run the statement. */
function planOf(database: SqliteDatabase, sql: string): string[] {
  const values = Array.from(sql.matchAll(/\?/g), () => '1')
  const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values)
  return (rows as { detail: string }[]).map(({ detail }) => detail)
}

// The planner's statistics go stale: those of a table of a few rows are still used when it has a million.
for (const rows of [0, 1, 2, 3, 5, 10, 100]) {
  t.test(`no statement but those on all rows reads the whole table, analysed at ${rows} rows`, async (t) => {
    const { database } = await makeStore(t)
    fill(database, rows, 1)
    database.exec('ANALYZE')
    const analysed = watch(connect(t))
    const store = new SqliteStore(analysed)
    await store.createSession(newSession({ age: 2 * hour, userId: 'idle' }))
    for (const call of Object.values(everyCall(store))) await call()
    const statements = analysed.prepared.filter((sql) => /gosesh_(sessions|users|device_codes)/.test(sql))
    t.equal(statements.length, 21)
    for (const sql of statements) {
      if (sql === 'DELETE FROM gosesh_sessions') continue
      if (/DELETE FROM gosesh_sessions WHERE metadata/.test(sql)) continue
      // The sweep reads on from where it is; statistics of one or two rows hide from the planner that it can.
      if (/SELECT number/.test(sql) && (rows === 1 || rows === 2)) continue
      const scans = planOf(analysed, sql).filter((step) =>
        /^SCAN (?!batch|json_each|pair|fact|\(subquery)/.test(step),
      )
      t.strictSame(scans, [], sql)
    }
  })
}

t.test(
  'the sweep reads the table in the order in which it is kept, a page in a turn of the event loop',
  async (t) => {
    const { database } = await makeStore(t)
    fill(database, 12_000, Date.now() + hour)
    const watched = watch(database)
    const store = new SqliteStore(watched)
    const expired = newSession({ age: 2 * hour })
    await store.createSession(expired)
    let turns = 0
    const count = (): void => {
      turns++
      next = setImmediate(count)
    }
    let next = setImmediate(count)
    t.teardown(() => clearImmediate(next))
    t.equal(await store.deleteExpiredSessions(new Date(), 100), 1)
    t.equal(watched.ran.filter((sql) => /SELECT number/.test(sql)).length, 3)
    t.ok(turns >= 2, `${turns} turns`)
  },
)

t.test('a sweep in many calls goes on where the last call met its limit, and comes around', async (t) => {
  const { database } = await makeStore(t)
  fill(database, 10_000, Date.now() + hour)
  fill(database, 25, 1)
  const watched = watch(database)
  const store = new SqliteStore(watched)
  const pages = async (limit: number): Promise<{ deleted: number; pages: number }> => {
    watched.ran.length = 0
    const deleted = await store.deleteExpiredSessions(new Date(), limit)
    return { deleted, pages: watched.ran.filter((sql) => /SELECT number/.test(sql)).length }
  }
  t.strictSame(await pages(10), { deleted: 10, pages: 3 }, 'the live sessions come first')
  t.strictSame(await pages(10), { deleted: 10, pages: 1 }, 'and are not read again')
  database.exec(`UPDATE gosesh_sessions SET absolute_deadline = 1 WHERE number <= 3`)
  t.strictSame(await pages(10), { deleted: 8, pages: 4 }, 'until the sweep comes around')
  t.strictSame(await pages(10), { deleted: 0, pages: 2 }, 'the next one begins at the beginning')
})

t.test('a sweep that meets its limit after it came around goes on from there', async (t) => {
  const { store, database } = await makeStore(t)
  fill(database, 5_000, Date.now() + hour)
  fill(database, 12, 1)
  t.equal(await store.deleteExpiredSessions(new Date(), 10), 10)
  database.exec(`UPDATE gosesh_sessions SET absolute_deadline = 1 WHERE number <= 20`)
  t.equal(await store.deleteExpiredSessions(new Date(), 10), 10)
  t.equal(await store.deleteExpiredSessions(new Date(), 100), 12)
})

t.test('the sweep spares a session that is extended between being found and being deleted', async (t) => {
  const { store, database } = await makeStore(t)
  const [extended, ...expired] = newSessions(4, { age: 2 * hour }) as [Session, ...Session[]]
  for (const session of [extended, ...expired]) await store.createSession(session)
  const other = connect(t)
  const extension = 'UPDATE gosesh_sessions SET last_activity_at = ?, idle_deadline = ? WHERE id = ?'
  let found = 0
  const sweeper = new SqliteStore(
    intercept(database, (run, sql) => {
      const result = run()
      if (/SELECT number/.test(sql) && ++found === 1) {
        const to = { idleDeadline: later(new Date(), hour), lastActivityAt: new Date() }
        other.prepare(extension).run(to.lastActivityAt.getTime(), to.idleDeadline.getTime(), extended.id)
      }
      return result
    }),
  )
  t.equal(await sweeper.deleteExpiredSessions(new Date(), 2), 2, 'the limit is met all the same')
  t.equal(await sweeper.deleteExpiredSessions(new Date(), 2), 1)
  t.not(await store.getSession(extended.id), null)
})

t.test('a late flush or extension of another connection brings no deleted session back', async (t) => {
  const { store } = await makeStore(t)
  const other = new SqliteStore(connect(t))
  const session = newSession()
  await store.createSession(session)
  const moved = activeAt(session, later(session.lastActivityAt, minute))
  t.equal(await store.deleteSession(session.id), true)
  t.equal(await other.batchRecordActivity(batchOf([moved])), 0)
  t.equal(await other.extendSession(session.id, moved), false)
  t.equal(await store.getSession(session.id), null)
})
