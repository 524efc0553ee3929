import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import LibsqlDatabase from 'libsql'
import t from 'tap'
import { userIdOf } from '../../lib/core/user-id.js'
import { metadataIndexName } from '../../lib/stores/shared/metadata.js'
import { type SqliteDatabase, SqliteStore } from '../../lib/stores/sqlite/index.js'
import {
  sqliteSessionsPart,
  sqliteUsersPart,
  sqliteVersionTable,
} from '../../lib/stores/sqlite/migrations.js'
import { newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { newSession } from '../../lib/testing/fixtures.js'
import { testUserCodes } from '../tools/user-codes.js'
import { connect, everyCall, makeStore, rejection, tablesOf, watch } from './sqlite-fixtures.js'

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

function schemaOf(database: SqliteDatabase): unknown[] {
  const rows = database
    .prepare('SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name')
    .all() as { type: string; name: string; sql: string }[]
  return rows.map(({ type, name, sql }) => ({ type, name, sql }))
}

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
    'gosesh_session_data',
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
        `INSERT INTO gosesh_sessions (id, user_id, created_at, last_activity_at, absolute_deadline, metadata,
          secret_hash, version, authenticated_at, absolute_timeout, persistent, device_bound)
        VALUES (?, ?, 0, 0, 0, ?, 'hash', 1, 0, 1, 1, 0)`,
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
  t.strictSame(tablesOf(database), [
    'gosesh_device_codes',
    'gosesh_schema',
    'gosesh_session_data',
    'gosesh_sessions',
  ])
  t.equal(await store.upsertUser('oidc|1'), 'own-oidc|1')
  await testUserCodes(t, store)
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
