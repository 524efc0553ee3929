import pg from 'pg'
import t from 'tap'
import type { Statement } from '../../lib/stores/postgres/client.js'
import { deviceCodeStatements } from '../../lib/stores/postgres/device-codes.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { statements } from '../../lib/stores/postgres/statements.js'
import { tableNames } from '../../lib/stores/postgres/tables.js'
import { newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { hour, later, newSecretHash, newSession, newSessions } from '../../lib/testing/fixtures.js'
import type { SessionRecord } from '../../types/store.js'
import { type Fixture, freshStore, insertSessions, until, untilWaiting } from '../tools/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../tools/postgres-server.js'

interface TableStats {
  readonly updated: number
  readonly hot: number
}

/** What the server counted for the table, once it has counted `updated` rows; its own pool is ended for that. */
async function statsOf(
  server: PostgresServer,
  { pool, schema }: Fixture,
  updated: number,
): Promise<TableStats> {
  await pool.end()
  const observer = new pg.Pool(server.connection)
  let stats: TableStats = { updated: 0, hot: 0 }
  try {
    await until(`${updated} updates are counted`, async () => {
      const { rows } = await observer.query(
        `SELECT n_tup_upd::int AS updated, n_tup_hot_upd::int AS hot FROM pg_stat_all_tables
         WHERE schemaname = $1 AND relname = 'gosesh_sessions'`,
        [schema],
      )
      stats = rows[0]
      return stats.updated >= updated
    })
  } finally {
    await observer.end()
  }
  return stats
}

function activityOf(sessions: readonly SessionRecord[], ms: number): Map<SessionRecord['id'], Date> {
  return new Map(sessions.map((session) => [session.id, later(session.lastActivityAt, ms)]))
}

function shuffled<T>(items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }))
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item)
}

/** Every kind of node in a plan, with what it reads. */
function nodesOf(plan: Record<string, unknown>): string[] {
  const children = (plan.Plans ?? []) as Record<string, unknown>[]
  return [`${plan['Node Type']} ${plan['Relation Name'] ?? ''}`.trim(), ...children.flatMap(nodesOf)]
}

/** How large the large table is; a million takes some minutes. */
const many = Number(process.env.POSTGRES_SESSIONS ?? 50_000)

function costTests(server: PostgresServer): void {
  t.test('more than nine in ten updates of activity stay on their page', async (t) => {
    const fixture = await freshStore(t, server)
    const sessions = newSessions(many / 5)
    for (let from = 0; from < sessions.length; from += 10_000) {
      await insertSessions(fixture, sessions.slice(from, from + 10_000))
    }
    const rounds = 4
    for (let round = 1; round <= rounds; round++) {
      const order = shuffled(sessions)
      while (order.length > 0) {
        await fixture.store.batchRecordActivity(activityOf(order.splice(0, 500), round * 30_000))
      }
    }
    const { updated, hot } = await statsOf(server, fixture, rounds * sessions.length)
    t.equal(updated, rounds * sessions.length)
    t.ok(hot / updated > 0.9, `${hot} of ${updated}`)
  })

  t.test('more than eight in ten re-authentications stay on their page', async (t) => {
    const fixture = await freshStore(t, server)
    const sessions = newSessions(many / 25)
    await insertSessions(fixture, sessions)
    for (const { id, absoluteDeadline } of shuffled(sessions)) {
      const changes = {
        secretHash: newSecretHash(),
        authenticatedAt: new Date(),
        absoluteDeadline: later(absoluteDeadline, 1_000),
        details: '{"factors":[["otp",1893456000000]]}',
      }
      t.equal(await fixture.store.updateSession(id, 1, changes), 'updated')
    }
    const { updated, hot } = await statsOf(server, fixture, sessions.length)
    t.equal(updated, sessions.length)
    t.ok(hot / updated > 0.8, `${hot} of ${updated}`)
  })

  t.test('what is newer in the table already is not written again', async (t) => {
    const fixture = await freshStore(t, server)
    const sessions = newSessions(100)
    await insertSessions(fixture, sessions)
    const [first] = sessions as [SessionRecord]
    t.equal(await fixture.store.batchRecordActivity(activityOf(sessions, 1_000)), 100)
    t.equal(await fixture.store.batchRecordActivity(activityOf(sessions, 1_000)), 0)
    t.equal(await fixture.store.batchRecordActivity(activityOf(sessions, 500)), 0)
    const to = { lastActivityAt: first.lastActivityAt, idleDeadline: first.idleDeadline }
    t.equal(await fixture.store.extendSession(first.id, to), true)
    t.equal((await statsOf(server, fixture, 100)).updated, 100)
  })

  t.test('a batch is confirmed before it is on the disk, a sign-in only after', async (t) => {
    const { pool, store } = await freshStore(t, server, { max: 1 })
    const session = newSession()
    await store.createSession(session)
    const ahead = async (): Promise<boolean> => {
      const { rows } = await pool.query(
        'SELECT pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() AS ahead',
      )
      return rows[0].ahead
    }
    let [batches, signIns] = [0, 0]
    for (let round = 1; round <= 20; round++) {
      await store.batchRecordActivity(activityOf([session], round * 1_000))
      if (await ahead()) batches++
      await store.createSession(newSession())
      if (await ahead()) signIns++
    }
    // The server writes by itself now and then.
    t.ok(batches > 10, `${batches} of 20 batches`)
    t.ok(signIns < 5, `${signIns} of 20 sign-ins`)
  })

  t.test('a batch does not wait for a standby, and what follows on its connection does', async (t) => {
    const { pool, store, schema } = await freshStore(t, server, { max: 1 })
    const admin = server.pool(t)
    t.teardown(async () => {
      await admin.query('ALTER SYSTEM RESET synchronous_standby_names')
      await admin.query('SELECT pg_reload_conf()')
    })
    const session = newSession()
    await store.createSession(session)
    // Whatever is committed synchronously now waits for a standby that there is not.
    await admin.query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await admin.query('SELECT pg_reload_conf()')
    const committed = new PostgresStore(server.pool(t), { schema })
    let waits = Promise.resolve()
    await until('commits wait for a standby', async () => {
      waits = committed.createSession(newSession())
      const race = await Promise.race([waits.then(() => 'done'), untilWaiting(admin, 'SyncRep')])
      return race !== 'done'
    })
    t.equal(await store.batchRecordActivity(activityOf([session], 1_000)), 1)
    const { rows } = await pool.query('SHOW synchronous_commit')
    t.equal(rows[0].synchronous_commit, 'on')
    const next = store.createSession(newSession())
    await until('sign-in waits too', async () => {
      const { rowCount } = await admin.query("SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
      return rowCount === 2
    })
    await admin.query('ALTER SYSTEM RESET synchronous_standby_names')
    await admin.query('SELECT pg_reload_conf()')
    await t.resolves(Promise.all([waits, next]))
  })

  t.test(`at ${many.toLocaleString('en')} sessions`, async (t) => {
    const fixture = await freshStore(t, server)
    const { pool, store, schema, sessions: table } = fixture
    const sessions = newSessions(many)
    for (let from = 0; from < sessions.length; from += 10_000) {
      await insertSessions(fixture, sessions.slice(from, from + 10_000))
    }
    await pool.query(`UPDATE ${table} SET user_id = 'user' || left(id, 3)`)
    // Of three sessions one came from a provider, one has facts of another kind, and one has none.
    await pool.query(
      `UPDATE ${table} SET metadata = CASE WHEN id < 'M'
         THEN json_build_object('oidc_iss', 'op', 'oidc_sub', left(id, 4), 'oidc_sid', id)
         ELSE '{"device":"phone"}' END WHERE id < 'k'`,
    )
    const known = newDeviceCode()
    await store.deviceCodes.createDeviceCode(known)
    await pool.query(
      `INSERT INTO ${schema}.gosesh_device_codes (created_at, expires_at, poll_interval, id, user_code_id, status)
       SELECT $1, $1, 5000, 'id' || i, 'user' || i, 'pending' FROM generate_series(1, 10000) AS i`,
      [known.expiresAt.toISOString()],
    )
    await pool.query(`ANALYZE ${schema}.gosesh_device_codes`)
    await pool.query(`VACUUM FULL ANALYZE ${table}`)
    const before = later((sessions[0] as SessionRecord).lastActivityAt, -24 * hour)

    t.test('no statement reads the whole table', async (t) => {
      const ids = `'{${sessions.slice(0, 5_000).map(({ id }) => id)}}'`
      const times = `'{${sessions.slice(0, 5_000).map((session) => later(session.lastActivityAt, 1).toISOString())}}'`
      const at = `'${(sessions[0] as SessionRecord).absoluteDeadline.toISOString()}'`
      const id = `'${(sessions[0] as SessionRecord).id}'`
      const given: Record<string, unknown[]> = {
        upsertUser: ["'user'", "'ada'"],
        createSession: ["'id'", "'user'", at, at, at, at, 1, 'null', "'hash'", 1, at, 1, true, false, 'null'],
        getSession: [id],
        listUserSessions: ["'userabc'"],
        extendSession: [id, at, at],
        updateSession: [id, 1, "'hash'", at, at, at, 'null', true, 'null', true, "'details'"],
        deleteUser: ["'userabc'"],
        recordActivity: [ids, times],
        deleteSession: [id],
        deleteUserSessions: ["'userabc'", id],
        deletePage: ["''", 5_000],
        sweepBlocks: ["'(0,0)'", "'(512,0)'", at, 1_000],
        deleteBySid: [`'{"oidc_sid":"x"}'`, "'x'"],
        deleteBySub: [`'{"oidc_sub":"x","oidc_iss":"op"}'`, "'x'"],
        create: ["'id'", "'user'", at, at, 1, at, "'pending'", 'null', 'null', 'null'],
        get: [id],
        find: [id],
        recordPoll: [id, at, 1],
        decide: [id, "'denied'", 'null', 'null'],
        consume: [id],
        deleteOfUser: ["'userabc'"],
        deleteExpired: [`'${known.createdAt.toISOString()}'`, 1_000],
      }
      const tables = tableNames(schema, 'gosesh_')
      // What no index is for reads the whole table, as it says.
      const { deleteByMetadata: _, deleteByFact, ...bounded } = statements(tables, ['oidc_sid', 'oidc_sub'])
      const [deleteBySid, deleteBySub] = deleteByFact.values() as MapIterator<Statement>
      const all = { ...bounded, deleteBySid, deleteBySub, ...deviceCodeStatements(tables) } as Record<
        string,
        Statement
      >
      t.strictSame(Object.keys(given), Object.keys(all))
      const client = await pool.connect()
      t.teardown(() => client.release())
      const plans: Record<string, string[]> = {}
      for (const mode of ['force_generic_plan', 'force_custom_plan']) {
        await client.query(`SET plan_cache_mode = ${mode}`)
        for (const [operation, { text }] of Object.entries(all)) {
          await client.query(`PREPARE looked_at AS ${text}`)
          const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE looked_at (${given[operation]})`)
          await client.query('DEALLOCATE looked_at')
          plans[`${operation}, ${mode}`] = nodesOf(rows[0]['QUERY PLAN'][0].Plan).filter((node) =>
            / gosesh_(sessions|device_codes)$/.test(node),
          )
        }
      }
      const allowed = /^(Index Scan|Index Only Scan|Bitmap Heap Scan|Tid Scan|Tid Range Scan|ModifyTable) /
      for (const [operation, nodes] of Object.entries(plans)) {
        t.strictSame(
          nodes.filter((node) => !allowed.test(node)),
          [],
          operation,
        )
      }
    })

    t.test('only sessions that came from a provider are in the indexes of logout', async (t) => {
      const { rows } = await pool.query(
        `SELECT relname AS name, reltuples::int AS entries FROM pg_class
         WHERE relnamespace = to_regnamespace($1) AND relname ~ 'sessions_m_' ORDER BY 1`,
        [schema],
      )
      const fromProvider = Number(
        (await pool.query(`SELECT count(*) FROM ${table} WHERE metadata->>'oidc_iss' = 'op'`)).rows[0].count,
      )
      t.ok(fromProvider > many / 10)
      t.equal(rows.length, 2)
      // What the server counts is an estimate.
      for (const { name, entries } of rows)
        t.ok(Math.abs(entries / fromProvider - 1) < 0.2, `${name}: ${entries}`)
    })

    t.test('a sweep covers the whole table, wherever the last one stopped', async (t) => {
      const blocks = (await pool.query(`SELECT pg_relation_size('${table}') / 8192 AS n`)).rows[0].n
      t.ok(blocks > 700, 'more than one step of a sweep')
      const expire = async (from: number, to: number): Promise<void> => {
        await pool.query(
          `UPDATE ${table} SET absolute_deadline = $1 WHERE ctid >= '(${from},0)' AND ctid < '(${to},0)'
           AND id IN (SELECT id FROM ${table} WHERE ctid >= '(${from},0)' AND ctid < '(${to},0)' LIMIT 3)`,
          [later(before, -1).toISOString()],
        )
      }
      t.equal(await store.deleteExpiredSessions(before, 10), 0)
      await expire(600, 601)
      t.equal(await store.deleteExpiredSessions(before, 2), 2, 'stops in the middle')
      await expire(5, 6)
      t.equal(await store.deleteExpiredSessions(before, 10), 4)
      t.equal(await store.deleteExpiredSessions(before, 10), 0)
    })

    t.test('deleteAllSessions goes on to the last page', async (t) => {
      const left = Number((await pool.query(`SELECT count(*) FROM ${table}`)).rows[0].count)
      t.equal(await store.deleteAllSessions(), left)
      t.equal((await pool.query(`SELECT FROM ${table} LIMIT 1`)).rowCount, 0)
    })
  })
}

const server = await startPostgres(t)
if (server !== null) costTests(server)
