import LibsqlDatabase from 'libsql'
import t from 'tap'
import { GoseshError } from '../../lib/core/errors.js'
import { type SqliteDatabase, SqliteStore } from '../../lib/stores/sqlite/index.js'
import { activeAt, hour, later, minute, newSession, newSessions } from '../../lib/testing/fixtures.js'
import type { SessionRecord } from '../../types/store.js'
import { batchOf, connect, everyCall, intercept, makeStore, rejection, watch } from './sqlite-fixtures.js'

/** Fills the table without the store: `count` sessions of one user that ended at `deadline`, or are without limit. */
function fill(database: SqliteDatabase, count: number, deadline: number): void {
  database
    .prepare(
      `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
      INSERT INTO gosesh_sessions (id, user_id, created_at, last_activity_at, absolute_deadline,
        secret_hash, version, authenticated_at, absolute_timeout, persistent, device_bound)
      SELECT 'filler-' || ? || '-' || i, 'filler', 0, 0, ?, 'hash', 1, 0, 1, 1, 0 FROM n WHERE i > 0`,
    )
    .run(count, deadline, deadline)
}

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
    t.equal(statements.length, 22)
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
  const [extended, ...expired] = newSessions(4, { age: 2 * hour }) as [SessionRecord, ...SessionRecord[]]
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
