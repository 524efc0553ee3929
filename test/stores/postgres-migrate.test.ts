import { readFileSync } from 'node:fs'
import type pg from 'pg'
import t from 'tap'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { newSession } from '../../lib/testing/fixtures.js'
import { buildApp } from '../tools/app.js'
import { freshStore, newSchema, tablesOf, untilWaiting } from '../tools/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../tools/postgres-server.js'

/** What the catalog knows of the tables of a schema. */
async function layout(pool: pg.Pool, schema: string): Promise<unknown> {
  const { rows } = await pool.query(
    `SELECT c.relname, c.relkind, c.reloptions,
            c.relpersistence,
            (SELECT json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                             a.attcollation, pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum)
             FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = c.oid AND a.attnum > 0) AS columns,
            replace(pg_get_indexdef(i.indexrelid), $1, '') AS index
     FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
     WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'i') ORDER BY c.relname`,
    [schema],
  )
  const { rows: triggers } = await pool.query(
    `SELECT replace(pg_get_triggerdef(t.oid), $1 || '.', '') AS trigger, c.relname,
            replace(replace(p.prosrc, '"', ''), $1 || '.', '') AS source
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
     WHERE c.relnamespace = to_regnamespace($1) AND NOT t.tgisinternal ORDER BY 1, 2`,
    [schema],
  )
  return { rows, triggers }
}

/** Leaves the tables as a store made them that knew neither the indexes of logout nor device codes. */
async function removeParts(pool: pg.Pool, schema: string): Promise<void> {
  await pool.query(`DROP INDEX ${schema}.gosesh_sessions_m_a50749d1, ${schema}.gosesh_sessions_m_9007cedc;
    DROP TABLE ${schema}.gosesh_device_codes;
    DELETE FROM ${schema}.gosesh_schema WHERE part IN ('device_codes', 'm_a50749d1', 'm_9007cedc')`)
}

function migrateTests(server: PostgresServer): void {
  t.test('several processes migrate at once and all succeed', async (t) => {
    const schema = newSchema()
    const pools = Array.from({ length: 6 }, () => server.pool(t, { max: 2 }))
    const stores = pools.flatMap((pool) => [1, 2].map(() => new PostgresStore(pool, { schema })))
    await Promise.all(stores.map((store) => store.migrate()))
    t.strictSame(await tablesOf(pools[0] as pg.Pool, schema), [
      'gosesh_device_codes',
      'gosesh_revocation_marker',
      'gosesh_revocations',
      'gosesh_schema',
      'gosesh_session_data',
      'gosesh_sessions',
      'gosesh_users',
    ])
  })

  t.test(
    'stores that make one schema, or name one place in two ways, do not trip over each other',
    async (t) => {
      for (let round = 0; round < 10; round++) {
        const schema = `shared_${round}`
        const admin = server.pool(t)
        await admin.query(`CREATE DATABASE round_${round}`)
        const pools = [0, 1, 2].map(() => server.pool(t, { database: `round_${round}` }))
        const [first, second, third] = pools as [pg.Pool, pg.Pool, pg.Pool]
        await t.resolves(
          Promise.all([
            new PostgresStore(first, { schema, tablePrefix: 'staff_' }).migrate(),
            new PostgresStore(second, { schema, tablePrefix: 'shop_' }).migrate(),
            new PostgresStore(third).migrate(),
            new PostgresStore(first, { schema: 'public' }).migrate(),
          ]),
        )
      }
    },
  )

  t.test('it waits for the one that migrates, whatever isolation its transactions have', async (t) => {
    const { pool, schema } = await freshStore(t, server)
    const other = server.pool(t, { options: '-c default_transaction_isolation=serializable' })
    await pool.query(`DROP SCHEMA ${schema} CASCADE; CREATE SCHEMA ${schema}`)
    const client = await pool.connect()
    await client.query('BEGIN')
    const held = new PostgresStore(
      {
        query: (query) => client.query(query),
        connect: async () => ({
          query: (query) => client.query(query.text === 'COMMIT' ? { ...query, text: 'SELECT 1' } : query),
          release() {},
          on() {},
          removeListener() {},
        }),
        on() {},
        listenerCount: () => 1,
        totalCount: 0,
      },
      { schema },
    )
    await held.migrate()
    const waiting = new PostgresStore(other, { schema }).migrate()
    await untilWaiting(pool)
    await client.query('COMMIT')
    client.release()
    await t.resolves(waiting)
  })

  t.test('an application does not start on tables that are missing or older', async (t) => {
    const pool = server.pool(t)
    const schema = newSchema()
    const store = new PostgresStore(pool, { schema })
    const start = async () => await buildApp(t, { store, sweepInterval: null }).ready()
    await t.rejects(start(), { code: 'GOSESH_ERR_STORE_SCHEMA' }, 'missing')
    await store.migrate()
    await removeParts(pool, schema)
    await t.rejects(start(), { code: 'GOSESH_ERR_STORE_SCHEMA' }, 'older')
    await store.migrate()
    await t.resolves(start())
    await pool.query(
      `DROP TABLE ${schema}.gosesh_users; DELETE FROM ${schema}.gosesh_schema WHERE part = 'users'`,
    )
    await t.rejects(start(), { code: 'GOSESH_ERR_STORE_SCHEMA' }, 'without users')
    await t.resolves(new PostgresStore(pool, { schema, upsertUser: async (id) => id }).checkSchema())
  })

  t.test('a second time it changes nothing and needs no right to', async (t) => {
    const { pool, schema } = await freshStore(t, server)
    await pool.query(`DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA ${schema} TO reader;
      GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO reader`)
    t.teardown(() => pool.query('DROP OWNED BY reader; DROP ROLE reader'))
    const before = await layout(pool, schema)
    const reader = server.pool(t, { user: 'reader' })
    await new PostgresStore(reader, { schema }).migrate()
    await reader.end()
    t.strictSame(await layout(pool, schema), before)
  })

  t.test('an older schema is brought to this version, its sessions kept', async (t) => {
    const { pool, store, schema, sessions } = await freshStore(t, server)
    const session = newSession()
    await store.createSession(session)
    const current = await layout(pool, schema)
    await pool.query(`DROP INDEX ${schema}.gosesh_sessions_m_9007cedc`)
    await pool.query(`DELETE FROM ${schema}.gosesh_schema WHERE part = 'm_9007cedc'`)
    await store.migrate()
    t.strictSame(await layout(pool, schema), current)
    t.equal((await pool.query(`SELECT FROM ${sessions}`)).rowCount, 1)
  })

  t.test('a schema with fewer parts is brought to this version, its sessions kept and found', async (t) => {
    const { pool, store, schema, sessions } = await freshStore(t, server)
    const current = await layout(pool, schema)
    await removeParts(pool, schema)
    const [found, unreadable] = [newSession({ metadata: { oidc_sub: 'ada' } }), newSession()]
    for (const session of [found, unreadable]) await store.createSession(session)
    await pool.query(`UPDATE ${sessions} SET metadata = $2 WHERE id = $1`, [unreadable.id, '{"a":"\\ud800"}'])
    await t.rejects(store.deviceCodes.createDeviceCode(newDeviceCode()), {
      code: 'GOSESH_ERR_STORE_SCHEMA',
    })
    await store.migrate()
    t.strictSame(await layout(pool, schema), current)
    t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }), [found.id])
    t.equal(await store.deviceCodes.createDeviceCode(newDeviceCode()), true)
  })

  t.test('an upgrade that meets statement_timeout changes nothing, and can be made later', async (t) => {
    const { pool, store, schema, sessions } = await freshStore(t, server)
    const current = await layout(pool, schema)
    await removeParts(pool, schema)
    const before = await layout(pool, schema)
    const writer = await pool.connect()
    await writer.query(`BEGIN; LOCK TABLE ${sessions} IN ROW EXCLUSIVE MODE`)
    const impatient = new PostgresStore(server.pool(t, { statement_timeout: 200 }), { schema })
    await t.rejects(impatient.migrate(), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: { code: '57014' } })
    t.strictSame(await layout(pool, schema), before)
    await writer.query('COMMIT')
    writer.release()
    await Promise.all([store.migrate(), new PostgresStore(pool, { schema }).migrate()])
    t.strictSame(await layout(pool, schema), current)
  })

  t.test('a newer schema is left as it is', async (t) => {
    const { pool, store, schema } = await freshStore(t, server)
    await pool.query(`UPDATE ${schema}.gosesh_schema SET version = 99`)
    await store.migrate()
    const { rows } = await pool.query(`SELECT DISTINCT version FROM ${schema}.gosesh_schema`)
    t.strictSame(rows, [{ version: 99 }])
  })

  t.test('a table that it did not make is an error, and nothing is made', async (t) => {
    const pool = server.pool(t)
    const schema = newSchema()
    await pool.query(`CREATE SCHEMA ${schema}; CREATE TABLE ${schema}.users (name text)`)
    const store = new PostgresStore(pool, { schema, tablePrefix: '' })
    await t.rejects(store.migrate(), {
      code: 'GOSESH_ERR_STORE_SCHEMA',
      message: /tablePrefix/,
      cause: { code: '42P07' },
    })
    t.strictSame(await tablesOf(pool, schema), ['users'])
    t.equal(pool.totalCount, pool.idleCount)
  })

  t.test('whatever else fails is GOSESH_ERR_STORE_UNAVAILABLE with its cause', async (t) => {
    const pool = server.pool(t, { options: '-c default_transaction_read_only=on', user: 'nobody-at-all' })
    const store = new PostgresStore(pool)
    await t.rejects(store.migrate(), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: { code: '28000' } })
  })

  t.test('the SQL in the documentation makes the same tables, and migrate finds nothing to do', async (t) => {
    const { pool, schema } = await freshStore(t, server)
    const docs = readFileSync(new URL('../../docs/store-postgres.md', import.meta.url), 'utf8')
    const sql = [...docs.matchAll(/```sql\n(.*?)```/gs)].map(([, block = '']) => block)
    const script = sql.find((block) => block.includes('CREATE TABLE')) ?? ''
    const byHand = newSchema()
    const other = server.pool(t, { options: `-c search_path=${byHand}` })
    await other.query(`CREATE SCHEMA ${byHand}`)
    await other.query(script)
    await new PostgresStore(other, { schema: byHand }).migrate()
    t.strictSame(await layout(pool, byHand), await layout(pool, schema))
  })
}

const server = await startPostgres(t)
if (server !== null) migrateTests(server)
