import { join } from 'node:path'
import LibsqlDatabase from 'libsql'
import t from 'tap'
import { SqliteStore, type SqliteValue } from '../../lib/stores/sqlite.js'
import { hour, newSessions } from '../../lib/testing/fixtures.js'
import type { Session } from '../../types/session.js'

t.test('a sweep passes over what cannot be deleted, and ends', async (t) => {
  const database = new LibsqlDatabase(join(t.testdir(), 'sessions.db'))
  t.teardown(() => database.close())
  const store = new SqliteStore(database)
  await store.migrate()
  // Whether by id or by the order of sign-ins, it comes first.
  const sessions = newSessions(4, { age: 2 * hour }).sort((a, b) => (a.id < b.id ? -1 : 1))
  const [kept, ...expired] = sessions as [Session, ...Session[]]
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
