import * as fs from 'node:fs'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import LibsqlDatabase from 'libsql'
import t from 'tap'
import { type SqliteDatabase, SqliteStore, type SqliteValue } from '../../lib/stores/sqlite/index.js'
import type { Reserve } from '../../lib/stores/sqlite/reserve.js'
import { hour, newSession, newSessions } from '../../lib/testing/fixtures.js'
import type { SessionRecord } from '../../types/store.js'

t.test('a sweep passes over what cannot be deleted, and ends', async (t) => {
  const database = new LibsqlDatabase(join(t.testdir(), 'sessions.db'))
  t.teardown(() => database.close())
  const store = new SqliteStore(database)
  await store.migrate()
  // Whether by id or by the order of sign-ins, it comes first.
  const sessions = newSessions(4, { age: 2 * hour }).sort((a, b) => (a.id < b.id ? -1 : 1))
  const [kept, ...expired] = sessions as [SessionRecord, ...SessionRecord[]]
  for (const session of [kept, ...expired]) await store.createSession(session)
  database.exec(`
    CREATE TRIGGER keep BEFORE DELETE ON gosesh_sessions WHEN old.id = '${kept.id}'
    BEGIN SELECT RAISE(IGNORE); END`)
  let pages = 0
  const sweeper = new SqliteStore({
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql)
      if (!sql.includes('SELECT number')) return statement
      const get = (...values: SqliteValue[]): unknown => {
        if (++pages > 50) throw new Error('it reads the same page for ever')
        return statement.get(...values)
      }
      return {
        get,
        run: (...values) => statement.run(...values),
        all: (...values) => statement.all(...values),
      }
    },
  })
  t.equal(await sweeper.deleteExpiredSessions(new Date(), 1), 0)
  t.equal(await store.deleteExpiredSessions(new Date(), 10), 3)
  t.not(await store.getSession(kept.id), null)
})

/** A database that says that its disk is full, the given number of times, to statements that match. */
function fullDisk(database: SqliteDatabase, matching: RegExp, times: number): SqliteDatabase {
  let left = times
  return {
    exec: (sql) => database.exec(sql),
    get inTransaction() {
      return database.inTransaction
    },
    prepare(sql) {
      const statement = database.prepare(sql)
      const run = (...values: SqliteValue[]): { changes: number | bigint } => {
        if (matching.test(sql) && left-- > 0) throw new Error('database or disk is full')
        return statement.run(...values)
      }
      return {
        run,
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
      }
    },
  }
}

const unavailable = { code: 'GOSESH_ERR_STORE_UNAVAILABLE' }

t.test('a reserve on the disk is given up so that sessions can be ended, and then made again', async (t) => {
  const file = join(t.testdir(), 'sessions.db')
  const database = new LibsqlDatabase(file)
  t.teardown(() => database.close())
  const store = new SqliteStore(fullDisk(database, /DELETE/, 1))
  await store.migrate()
  t.notOk(existsSync(`${file}-reserve`), 'not before somebody signs in')
  const [first, second] = newSessions(2) as [SessionRecord, SessionRecord]
  await store.createSession(first)
  const { size, mode } = statSync(`${file}-reserve`)
  t.equal(size, 2 * 1024 * 1024)
  t.equal(mode & 0o777, 0o600)
  t.equal(await store.deleteSession(first.id), true)
  t.notOk(existsSync(`${file}-reserve`))
  await store.createSession(second)
  t.ok(existsSync(`${file}-reserve`))
})

t.test('a disk that stays full is 503, and so is one in a transaction of the application', async (t) => {
  const file = join(t.testdir(), 'sessions.db')
  const database = new LibsqlDatabase(file)
  t.teardown(() => database.close())
  const session = newSession()
  const store = new SqliteStore(fullDisk(database, /DELETE|INTO gosesh_sessions/, 4))
  await store.migrate()
  const cause = { message: 'database or disk is full' }
  await t.rejects(store.createSession(session), { ...unavailable, cause }, 'an insertion is not tried again')
  await t.rejects(store.deleteSession(session.id), { ...unavailable, cause }, 'anything else is, once')
  database.exec('BEGIN')
  await t.rejects(store.deleteSession(session.id), { ...unavailable, cause })
  database.exec('COMMIT')
  t.equal(await store.deleteSession(session.id), false)
})

t.test('a directory that takes no reserve, and a database in memory, go without', async (t) => {
  const file = join(t.testdir({ 'sessions.db-reserve': {} }), 'sessions.db')
  for (const path of [file, ':memory:']) {
    const database = new LibsqlDatabase(path)
    const store = new SqliteStore(fullDisk(database, /DELETE/, 1))
    await store.migrate()
    const session = newSession()
    await store.createSession(session)
    await store.createSession(newSession())
    if (path === ':memory:') await t.rejects(store.deleteSession(session.id), unavailable)
    t.equal(await store.deleteSession(session.id), true)
    database.close()
  }
})

t.test('the reserve leaves nothing of itself on a disk that has no room for it', async (t) => {
  const path = join(t.testdir(), 'sessions.db')
  const reserveOn = async (found: Partial<typeof fs>): Promise<Reserve> => {
    const stand = { 'node:fs': { ...fs, ...found } }
    const { Reserve }: typeof import('../../lib/stores/sqlite/reserve.js') = await t.mockImport(
      '../../lib/stores/sqlite/reserve.js',
      stand,
    )
    return new Reserve(path)
  }
  const little = await reserveOn({ statfsSync: (() => ({ bavail: 1_000, bsize: 4_096 })) as never })
  t.throws(() => little.hold(), { message: 'the disk has no room to begin sessions' })
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const full = await reserveOn({
      writeFileSync: ((file: string) => {
        fs.writeFileSync(file, 'half')
        throw Object.assign(new Error('full'), { code })
      }) as never,
    })
    t.throws(() => full.hold(), { code })
    t.notOk(existsSync(`${path}-reserve`))
  }
})
