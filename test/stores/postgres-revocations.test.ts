import pg from 'pg'
import t from 'tap'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import {
  activeAt,
  createAll,
  hour,
  later,
  minute,
  newSession,
  newSessions,
} from '../../lib/testing/fixtures.js'
import { type Fixture, freshStore, insertSessions, until } from '../tools/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../tools/postgres-server.js'

async function countOf({ pool, schema }: Fixture): Promise<number> {
  const { rows } = await pool.query(`SELECT count(*)::int AS count FROM ${schema}.gosesh_revocations`)
  return rows[0].count
}

async function begin({ store }: Fixture): Promise<string> {
  return (await store.readRevocations(null)).cursor
}

const server = await startPostgres(t)
if (server !== null) {
  t.test(
    'deletions and changes by hand are in the log, in any transaction and for any search_path',
    async (t) => {
      const fixture = await freshStore(t, server)
      const sessions = newSessions(4)
      const [first, second, third, fourth] = sessions.map(({ id }) => id)
      await createAll(fixture.store, sessions)
      let cursor = await begin(fixture)
      const read = async (): Promise<unknown> => {
        const answer = await fixture.store.readRevocations(cursor)
        cursor = answer.cursor
        return answer.entries
      }
      await fixture.pool.query(`DELETE FROM ${fixture.sessions} WHERE id = $1`, [first])
      t.strictSame(await read(), [{ id: first, ended: true }])
      await fixture.pool.query(`UPDATE ${fixture.sessions} SET metadata = '{}' WHERE id = $1`, [second])
      t.strictSame(await read(), [{ id: second, ended: false }])
      await fixture.pool.query(`UPDATE ${fixture.sessions} SET id = 'other' WHERE id = $1`, [third])
      t.strictSame(await read(), [{ id: third, ended: true }])
      await fixture.pool.query(`BEGIN; SAVEPOINT s; DELETE FROM ${fixture.sessions}; ROLLBACK TO s; COMMIT`)
      t.strictSame(await read(), [])
      await fixture.pool.query(
        `BEGIN; SAVEPOINT s; DELETE FROM ${fixture.sessions} WHERE id = '${fourth}'; RELEASE s; COMMIT`,
      )
      t.strictSame(await read(), [{ id: fourth, ended: true }])
    },
  )

  t.test('without a schema, too, a deletion finds the log from any search_path', async (t) => {
    const schema = 'by_path'
    const pool = server.pool(t, { options: `-c search_path=${schema}` })
    await pool.query(`CREATE SCHEMA ${schema}`)
    const store = new PostgresStore(pool)
    await store.migrate()
    const session = newSession()
    await store.createSession(session)
    const { cursor } = await store.readRevocations(null)
    await server.pool(t).query(`DELETE FROM ${schema}.gosesh_sessions`)
    t.strictSame((await store.readRevocations(cursor)).entries, [{ id: session.id, ended: true }])
  })

  t.test(
    'the log stays empty under sign-ins, activity, extensions and sweeps, whatever they sweep',
    async (t) => {
      const fixture = await freshStore(t, server)
      const sessions = newSessions(500)
      await insertSessions(fixture, sessions)
      await insertSessions(fixture, newSessions(500, { age: 2 * hour }))
      await fixture.store.batchRecordActivity(
        new Map(sessions.map(({ id }) => [id, later(new Date(), minute)])),
      )
      for (const session of sessions.slice(0, 10)) {
        await fixture.store.extendSession(session.id, activeAt(session, later(new Date(), hour)))
      }
      t.equal(await fixture.store.deleteExpiredSessions(new Date(), 1_000), 500)
      t.equal(await countOf(fixture), 0)
      await fixture.store.deleteUserSessions('user')
      t.equal(await countOf(fixture), 500)
    },
  )

  t.test('a setting that was left behind hides no end of a session that lives', async (t) => {
    const fixture = await freshStore(t, server, { options: '-c gosesh.swept_before=2000-01-01T00:00:00Z' })
    const session = newSession()
    await fixture.store.createSession(session)
    const cursor = await begin(fixture)
    await fixture.store.deleteSession(session.id)
    t.equal((await fixture.store.readRevocations(cursor)).entries?.length, 1)
  })

  t.test('a transaction that took long is not missed, whatever was read and pruned meanwhile', async (t) => {
    const fixture = await freshStore(t, server)
    const sessions = newSessions(3)
    const [slow, quick, last] = sessions
    await createAll(fixture.store, sessions)
    const client = await fixture.pool.connect()
    await client.query('BEGIN')
    await client.query(`DELETE FROM ${fixture.sessions} WHERE id = $1`, [slow?.id])
    const cursor = await begin(fixture)
    await fixture.store.deleteSession(quick?.id as never)
    let answer = await fixture.store.readRevocations(cursor)
    t.strictSame(answer.entries, [{ id: quick?.id, ended: true }])
    const now = new Date()
    for (const minutes of [0, 11, 22, 33])
      await fixture.store.deleteExpiredSessions(later(now, (minutes - 60) * minute), 10)
    await client.query('COMMIT')
    client.release()
    answer = await fixture.store.readRevocations(answer.cursor)
    t.strictSame(answer.entries, [{ id: slow?.id, ended: true }])
    await fixture.store.deleteSession(last?.id as never)
    t.strictSame((await fixture.store.readRevocations(answer.cursor)).entries, [
      { id: last?.id, ended: true },
    ])
  })

  t.test('a sweep prunes what is older than ten minutes, and an older cursor cannot tell', async (t) => {
    const fixture = await freshStore(t, server)
    const sessions = newSessions(30)
    await createAll(fixture.store, sessions)
    const old = await begin(fixture)
    await fixture.store.deleteUserSessions('user')
    const recent = await begin(fixture)
    const now = Date.now() - 30 * minute
    const sweepAt = (ms: number): Promise<number> =>
      fixture.store.deleteExpiredSessions(new Date(now + ms), 10)
    await sweepAt(0)
    await sweepAt(10 * minute - 1)
    t.equal(await countOf(fixture), 30)
    t.equal((await fixture.store.readRevocations(old)).entries?.length, 30)
    await sweepAt(10 * minute)
    t.equal(await countOf(fixture), 0)
    t.equal((await fixture.store.readRevocations(old)).entries, null)
    t.strictSame((await fixture.store.readRevocations(recent)).entries, [])
    await sweepAt(-hour)
    t.strictSame(
      (await fixture.store.readRevocations(recent)).entries,
      [],
      'a clock that goes back prunes nothing',
    )
  })

  t.test('cannot tell after a truncation of the sessions or of the log', async (t) => {
    const fixture = await freshStore(t, server)
    for (const table of ['gosesh_sessions CASCADE', 'gosesh_revocations']) {
      const cursor = await begin(fixture)
      await fixture.pool.query(`TRUNCATE ${fixture.schema}.${table}`)
      const answer = await fixture.store.readRevocations(cursor)
      t.equal(answer.entries, null)
      t.strictSame((await fixture.store.readRevocations(answer.cursor)).entries, [])
    }
  })

  t.test(
    'more than 10,000 entries are more than one answer tells, and the next goes on from there',
    async (t) => {
      const fixture = await freshStore(t, server)
      const sessions = newSessions(10_001)
      await insertSessions(fixture, sessions)
      const cursor = await begin(fixture)
      await fixture.pool.query(`DELETE FROM ${fixture.sessions} WHERE id <> $1`, [sessions[0]?.id])
      t.equal((await fixture.store.readRevocations(cursor)).entries?.length, 10_000)
      await fixture.store.deleteAllSessions()
      const answer = await fixture.store.readRevocations(cursor)
      t.equal(answer.entries, null)
      t.strictSame((await fixture.store.readRevocations(answer.cursor)).entries, [])
    },
  )

  t.test('a poll reads the index of the log, however long that is', async (t) => {
    const fixture = await freshStore(t, server, { max: 1 })
    const { pool, store, schema } = fixture
    await pool.query(`INSERT INTO ${schema}.gosesh_revocations SELECT n::text::xid8, n::text, true FROM generate_series(10, 60000) AS n;
      ANALYZE ${schema}.gosesh_revocations`)
    let cursor = await begin(fixture)
    for (let i = 0; i < 10; i++) cursor = (await store.readRevocations(cursor)).cursor
    await pool.query('SELECT pg_stat_force_next_flush()').catch(() => {})
    await pool.end()
    const observer = new pg.Pool(server.connection)
    t.teardown(() => observer.end())
    await until('the reads are counted', async () => {
      const { rows } = await observer.query(
        'SELECT seq_scan::int, idx_scan::int FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = $2',
        [schema, 'gosesh_revocations'],
      )
      return rows[0].seq_scan <= 2 && rows[0].idx_scan >= 10
    })
  })

  t.test('a cursor of another log, of garbage or of a snapshot that is none cannot tell', async (t) => {
    const fixture = await freshStore(t, server)
    const other = await freshStore(t, server)
    const cursor = await begin(fixture)
    const [log] = cursor.split(' ')
    for (const wrong of [
      await begin(other),
      `${log} 5:3:`,
      `${log} 9:9:9`,
      `${log} 99999999999999999999:1:`,
      `${log} `,
    ]) {
      t.equal((await fixture.store.readRevocations(wrong)).entries, null, wrong)
    }
    t.strictSame((await fixture.store.readRevocations(cursor)).entries, [])
  })

  t.test('rejects with GOSESH_ERR_STORE_SCHEMA before migrate, and with what else fails', async (t) => {
    const store = new PostgresStore(server.pool(t), { schema: 'nowhere' })
    await t.rejects(store.readRevocations(null), { code: 'GOSESH_ERR_STORE_SCHEMA' })
  })

  t.test('the documented rights are enough, and without them a deletion fails', async (t) => {
    const fixture = await freshStore(t, server)
    const { pool, schema } = fixture
    await pool.query(`CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA ${schema} TO app;
      GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.gosesh_sessions TO app`)
    t.teardown(() => server.pool(t).query('DROP OWNED BY app; DROP ROLE app'))
    const appPool = server.pool(t, { user: 'app' })
    const store = new PostgresStore(appPool, { schema })
    const session = newSession()
    await store.createSession(session)
    await t.rejects(store.deleteSession(session.id), { cause: { code: '42501' } })
    t.not(await store.getSession(session.id), null)
    await pool.query(
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ${schema}.gosesh_revocations, ${schema}.gosesh_revocation_marker TO app`,
    )
    const { cursor } = await store.readRevocations(null)
    t.equal(await store.deleteSession(session.id), true)
    t.equal((await store.readRevocations(cursor)).entries?.length, 1)
    t.equal(await store.deleteExpiredSessions(new Date(), 10), 0)
    await appPool.end()
  })

  t.test('cannot tell after a backend was killed, nor after a restart', async (t) => {
    const fixture = await freshStore(t, server)
    const session = newSession()
    await fixture.store.createSession(session)
    await fixture.store.deleteSession(session.id)
    const cursor = await begin(fixture)
    const { rows } = await fixture.pool.query('SELECT pg_backend_pid() AS pid')
    process.kill(rows[0].pid, 'SIGKILL')
    let answer: Awaited<ReturnType<PostgresStore['readRevocations']>> | null = null
    const recovered = async (): Promise<boolean> => {
      answer = await fixture.store.readRevocations(cursor).catch(() => null)
      return answer !== null
    }
    await until('the server has recovered', recovered)
    t.match(answer, { entries: null })
    t.equal(await countOf(fixture), 0)
    const next = await begin(fixture)
    await server.stop()
    await server.start()
    await until('the server has started', recovered)
    t.equal((await fixture.store.readRevocations(next)).entries, null)
  })

  t.test('cannot tell on a standby that was promoted, whose log is empty', async (t) => {
    const primary = (await startPostgres(t)) as PostgresServer
    const fixture = await freshStore(t, primary)
    const standby = await primary.startStandby(t)
    const sessions = newSessions(2)
    await createAll(fixture.store, sessions)
    await fixture.store.deleteSession(sessions[0]?.id as never)
    const cursor = await begin(fixture)
    const pool = standby.pool(t)
    const promoted = new PostgresStore(pool, { schema: fixture.schema })
    await until('the standby has it all', async () => {
      const found = await Promise.all(sessions.map(({ id }) => promoted.getSession(id).catch(() => null)))
      return found[0] === null && found[1] !== null
    })
    await primary.kill()
    await pool.query('SELECT pg_promote()')
    const answer = await promoted.readRevocations(cursor)
    t.equal(answer.entries, null)
    await promoted.deleteSession(sessions[1]?.id as never)
    t.strictSame((await promoted.readRevocations(answer.cursor)).entries, [
      { id: sessions[1]?.id, ended: true },
    ])
  })
}
