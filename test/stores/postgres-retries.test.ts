import type pg from 'pg'
import t from 'tap'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { later, newSession, newSessions } from '../../lib/testing/fixtures.js'
import type { SessionRecord } from '../../types/store.js'
import { freshStore, insertSessions } from '../tools/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../tools/postgres-server.js'

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
    const kept = sessions[0] as SessionRecord
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

  t.test('a write of data that the server rolls back in favour of another is made anew', async (t) => {
    const { store, pool, schema } = await freshStore(t, server)
    const session = newSession()
    await store.createSession(session)
    await pool.query(`
      CREATE SEQUENCE ${schema}.tries MINVALUE -10 START 1;
      CREATE FUNCTION ${schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('${schema}.tries') <= 2 THEN RAISE EXCEPTION 'chosen' USING ERRCODE = '40P01'; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER refuse BEFORE INSERT ON ${schema}.gosesh_session_data FOR EACH ROW
      EXECUTE FUNCTION ${schema}.refuse()`)
    const write = (value: string) => store.writeData(session.id, new Map([['a', value]]), { maxKeys: 10 })
    t.equal(await write('1'), 'written')
    await pool.query(`ALTER SEQUENCE ${schema}.tries RESTART WITH -10`)
    await t.rejects(write('2'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: { code: '40P01' } })
    t.same(await store.readData(session.id, null), new Map([['a', '1']]))
  })

  t.test('flushes that meet all succeed if the database is SERIALIZABLE by default', async (t) => {
    const admin = server.pool(t)
    await admin.query('CREATE DATABASE strict')
    await admin.query('ALTER DATABASE strict SET default_transaction_isolation = serializable')
    const fixture = await freshStore(t, server, { database: 'strict' })
    const sessions = newSessions(2_000)
    await insertSessions(fixture, sessions)
    const stores = Array.from(
      { length: 6 },
      () => new PostgresStore(fixture.pool, { schema: fixture.schema }),
    )
    const first = sessions[0] as SessionRecord
    for (let round = 1; round <= 5; round++) {
      const flushes = stores.map((store, node) => {
        const at = later(first.lastActivityAt, round * 60_000 + node)
        const inOrder = node % 2 === 0 ? sessions : sessions.toReversed()
        return store.batchRecordActivity(new Map(inOrder.map(({ id }) => [id, at])))
      })
      const others = [
        fixture.store.deleteUserSessions(`nobody-${round}`),
        fixture.store.createSession(newSession()),
        fixture.store.deleteExpiredSessions(first.createdAt, 10),
      ]
      await t.resolves(Promise.all([...flushes, ...others]), `round ${round}`)
    }
    const { rows } = await fixture.pool.query(
      `SELECT count(*)::integer AS count FROM ${fixture.sessions} WHERE last_activity_at = $1`,
      [later(first.lastActivityAt, 5 * 60_000 + 5)],
    )
    t.equal(rows[0].count, sessions.length)
    const { rows: levels } = await fixture.pool.query('SHOW default_transaction_isolation')
    t.equal(levels[0].default_transaction_isolation, 'serializable', "the application's own setting stays")
    t.equal(fixture.pool.totalCount, fixture.pool.idleCount)
  })
}

const server = await startPostgres(t)
if (server !== null) retryTests(server)
