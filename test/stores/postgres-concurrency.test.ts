import t from 'tap'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { later, minute, newSession, newSessions } from '../../lib/testing/fixtures.js'
import type { SessionRecord } from '../../types/store.js'
import { type Fixture, freshStore, insertSessions, untilWaiting } from '../tools/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../tools/postgres-server.js'

/** The default is enough for several deadlocks where rows are locked in the order in which they are given. */
const rounds = Number(process.env.DEADLOCK_ROUNDS ?? 12)
const count = 10_000
const batchSize = 5_000

async function flush(store: PostgresStore, sessions: readonly SessionRecord[], ms: number): Promise<number> {
  let moved = 0
  for (let from = 0; from < sessions.length; from += batchSize) {
    const batch = sessions.slice(from, from + batchSize)
    moved += await store.batchRecordActivity(
      new Map(batch.map((session) => [session.id, later(session.lastActivityAt, ms)])),
    )
  }
  return moved
}

async function timesOf(
  { pool, sessions }: Fixture,
  given: readonly SessionRecord[],
): Promise<Map<string, Date>> {
  const { rows } = await pool.query(`SELECT id, last_activity_at FROM ${sessions} WHERE id = ANY ($1)`, [
    given.map(({ id }) => id),
  ])
  return new Map(rows.map((row) => [row.id, row.last_activity_at]))
}

function concurrencyTests(server: PostgresServer): void {
  t.test('nodes that write, delete and sweep at once wait for one another and never deadlock', async (t) => {
    const fixture = await freshStore(t, server)
    const other = new PostgresStore(server.pool(t), { schema: fixture.schema })
    const sessions = newSessions(count)
    const users = Array.from({ length: rounds }, (_, round) => `leaver-${round}`)
    const leavers = users.map((userId) => newSessions(100, { userId }))
    // A day past their deadlines, so that the sweep takes these and no others.
    const expired = Array.from({ length: rounds }, () => newSessions(100, { age: 3 * 24 * 60 * minute }))
    const subjects = users.map(() => newSessions(100))
    await insertSessions(fixture, [...sessions, ...leavers.flat(), ...subjects.flat()])
    for (const [round, each] of subjects.entries()) {
      await fixture.pool.query(`UPDATE ${fixture.sessions} SET metadata = $1 WHERE id = ANY ($2)`, [
        { oidc_iss: 'op', oidc_sub: `${round}`, oidc_sid: `${round}` },
        each.map(({ id }) => id),
      ])
    }
    const before = later((sessions[0] as SessionRecord).lastActivityAt, -24 * 60 * minute)

    for (let round = 0; round < rounds; round++) {
      const all = [...sessions, ...leavers.slice(round).flat(), ...subjects.slice(round).flat()]
      await insertSessions(fixture, expired[round] as SessionRecord[])
      const results = await Promise.all([
        flush(fixture.store, all, round * 2_000 + 1_000),
        flush(other, all.toReversed(), round * 2_000 + 2_000),
        other.deleteUserSessions(users[round] as string),
        fixture.store.deleteExpiredSessions(before, 1_000),
        fixture.store.deleteSessionsByMetadata({ oidc_iss: 'op', oidc_sub: `${round}` }),
        other.deleteSessionsByMetadata({ oidc_sid: `${round}` }),
      ])
      t.equal(results[2], 100, 'every session of the user')
      t.equal(results[3], 100, 'every expired session')
      t.equal(results[4].length + results[5].length, 100, "every session of the provider's subject")
    }

    const times = await timesOf(fixture, [
      ...sessions,
      ...leavers.flat(),
      ...subjects.flat(),
      ...expired.flat(),
    ])
    t.equal(times.size, count)
    const late = sessions.filter(
      ({ id, lastActivityAt }) => times.get(id)?.getTime() !== lastActivityAt.getTime() + rounds * 2_000,
    )
    t.strictSame(late, [])
    t.notMatch(server.log, /deadlock/i)
  })

  t.test(
    'deleteAllSessions amid flushes, deletions and sweeps leaves nothing and brings nothing back',
    async (t) => {
      const fixture = await freshStore(t, server)
      const other = new PostgresStore(server.pool(t), { schema: fixture.schema })
      for (let round = 0; round < 3; round++) {
        const sessions = newSessions(count / 2)
        await insertSessions(fixture, sessions)
        await Promise.all([
          flush(fixture.store, sessions, 1_000),
          flush(other, sessions.toReversed(), 2_000),
          other.deleteAllSessions(),
          fixture.store.deleteAllSessions(),
          other.deleteUserSessions('user'),
          fixture.store.deleteExpiredSessions(
            later((sessions[0] as SessionRecord).absoluteDeadline, minute),
            500,
          ),
        ])
        t.equal((await fixture.pool.query(`SELECT FROM ${fixture.sessions}`)).rowCount, 0)
      }
      t.notMatch(server.log, /deadlock/i)
    },
  )

  t.test(
    'activity of a session that another transaction moves meanwhile is written all the same',
    async (t) => {
      const fixture = await freshStore(t, server)
      const { pool, sessions, store } = fixture
      const [moved, overtaken, deleted, untouched] = newSessions(4) as [
        SessionRecord,
        SessionRecord,
        SessionRecord,
        SessionRecord,
      ]
      const all = [moved, overtaken, deleted, untouched]
      await insertSessions(fixture, all)
      const client = await pool.connect()
      await client.query('BEGIN')
      const move = `UPDATE ${sessions} SET last_activity_at = $1 WHERE id = $2`
      await client.query(move, [later(moved.lastActivityAt, 1_000), moved.id])
      await client.query(move, [later(overtaken.lastActivityAt, 9_000), overtaken.id])
      await client.query(`DELETE FROM ${sessions} WHERE id = $1`, [deleted.id])
      const flushed = flush(store, all, 5_000)
      await untilWaiting(pool)
      await client.query('COMMIT')
      client.release()
      t.equal(await flushed, 2)
      t.same(
        await timesOf(fixture, all),
        new Map([
          [moved.id, later(moved.lastActivityAt, 5_000)],
          [overtaken.id, later(overtaken.lastActivityAt, 9_000)],
          [untouched.id, later(untouched.lastActivityAt, 5_000)],
        ]),
      )
    },
  )

  t.test('deletions that meet on the same sessions count each of them once', async (t) => {
    const fixture = await freshStore(t, server)
    await insertSessions(fixture, newSessions(2_000))
    const deleted = await Promise.all(
      Array.from({ length: 4 }, () => fixture.store.deleteUserSessions('user')),
    )
    t.equal(
      deleted.reduce((sum, each) => sum + each, 0),
      2_000,
    )
  })

  t.test('deletions by metadata that meet on the same sessions resolve each of them once', async (t) => {
    const fixture = await freshStore(t, server)
    await insertSessions(fixture, newSessions(1_000))
    await fixture.pool.query(
      `UPDATE ${fixture.sessions} SET metadata = '{"oidc_sub":"ada","oidc_sid":"1","device":"phone"}'`,
    )
    const deleted = await Promise.all(
      ['oidc_sub', 'oidc_sid', 'device', 'oidc_sub'].map((key, i) =>
        fixture.store.deleteSessionsByMetadata({ [key]: ['ada', '1', 'phone', 'ada'][i] as string }),
      ),
    )
    t.equal(deleted.flat().length, 1_000)
    t.equal(new Set(deleted.flat()).size, 1_000)
    t.notMatch(server.log, /deadlock/i)
  })

  t.test('sweeps of several nodes share the work', async (t) => {
    const fixture = await freshStore(t, server)
    const expired = newSessions(2_000, { age: 3 * 24 * 60 * minute })
    const live = newSession()
    await insertSessions(fixture, [...expired, live])
    const before = later(live.createdAt, -minute)
    const stores = Array.from(
      { length: 3 },
      () => new PostgresStore(fixture.pool, { schema: fixture.schema }),
    )
    const deleted = await Promise.all(stores.map((store) => store.deleteExpiredSessions(before, 5_000)))
    t.equal(
      deleted.reduce((sum, each) => sum + each, 0),
      2_000,
    )
    t.not(await fixture.store.getSession(live.id), null)
  })
}

const server = await startPostgres(t)
if (server !== null) concurrencyTests(server)
