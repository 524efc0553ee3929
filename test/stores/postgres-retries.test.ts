import type pg from 'pg'
import t from 'tap'
import { later, newSessions } from '../../lib/testing/fixtures.js'
import type { Session } from '../../types/session.js'
import { freshStore, insertSessions } from '../integration/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../integration/postgres-server.js'

/** Counts what is sent through the pool, and makes it fail past `limit`: a loop without a bound then ends too. */
function countQueries(pool: pg.Pool, limit: number): () => number {
  const query = pool.query.bind(pool) as (...args: unknown[]) => unknown
  let count = 0
  pool.query = ((...args: unknown[]) => {
    if (++count > limit) return Promise.reject(new Error('it does not end'))
    return query(...args)
  }) as typeof pool.query
  return () => count
}

function retryTests(server: PostgresServer): void {
  t.test('a flush that a trigger keeps from one session writes all others, and rejects', async (t) => {
    const fixture = await freshStore(t, server)
    const { pool, store, sessions: table, schema } = fixture
    const sessions = newSessions(1_500)
    await insertSessions(fixture, sessions)
    const kept = sessions[0] as Session
    await pool.query(`
      CREATE FUNCTION ${schema}.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER keep BEFORE UPDATE ON ${table} FOR EACH ROW WHEN (old.id = '${kept.id}')
      EXECUTE FUNCTION ${schema}.keep()`)
    const queries = countQueries(pool, 100)
    const at = later(kept.lastActivityAt, 60_000)
    await t.rejects(store.batchRecordActivity(new Map(sessions.map(({ id }) => [id, at]))), {
      code: 'GOSESH_ERR_STORE_UNAVAILABLE',
      cause: { message: /^1 sessions .* 10 tries/ },
    })
    t.equal(queries(), 11, 'the other thousand takes one')
    const moved = 'SELECT count(*)::integer AS count FROM'
    const { rows } = await server.pool(t).query(`${moved} ${table} WHERE last_activity_at = $1`, [at])
    t.equal(rows[0].count, sessions.length - 1)
  })
}

const server = await startPostgres(t)
if (server !== null) retryTests(server)
