import t from 'tap'
import { userIdOf } from '../../lib/core/user-id.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { quoteIdentifier } from '../../lib/stores/postgres/tables.js'
import { decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { activeAt, assertSession, later, newSession } from '../../lib/testing/fixtures.js'
import { freshStore, newSchema, tablesOf } from '../tools/postgres-fixtures.js'
import { startPostgres } from '../tools/postgres-server.js'
import { testUserCodes } from '../tools/user-codes.js'

const server = await startPostgres(t)
if (server !== null) {
  t.test('without a schema it goes by search_path', async (t) => {
    const schema = newSchema()
    const pool = server.pool(t, { options: `-c search_path=${schema}` })
    await pool.query(`CREATE SCHEMA ${schema}`)
    const store = new PostgresStore(pool)
    await store.migrate()
    t.ok((await tablesOf(pool, schema)).includes('gosesh_sessions'))
    await t.resolves(store.createSession(newSession()))
  })

  t.test('names of any characters work in every statement', async (t) => {
    const pool = server.pool(t)
    const options = { schema: `S."x"'\\ $1 ü🙂 ${newSchema()}`, tablePrefix: `P.re"f'ix\\` }
    const store = new PostgresStore(pool, options)
    await store.migrate()
    const session = newSession()
    const [other, expired] = [newSession(), newSession({ age: 10 * 3_600_000 })]
    const at = later(session.lastActivityAt, 5_000)
    for (const each of [session, other, expired]) await store.createSession(each)
    t.equal(await store.upsertUser('a'), userIdOf('a'))
    t.equal(await store.batchRecordActivity(new Map([[session.id, at]])), 1)
    t.equal(await store.extendSession(session.id, { lastActivityAt: at, idleDeadline: at }), true)
    assertSession(await store.getSession(session.id), activeAt(session, at))
    t.equal((await store.listUserSessions(session.userId)).length, 3)
    t.equal(await store.deleteExpiredSessions(session.createdAt, 10), 1)
    t.equal(await store.deleteSession(other.id), true)
    t.equal(await store.deleteUserSessions(session.userId, { except: session.id }), 0)
    t.strictSame(await store.deleteSessionsByMetadata({ oidc_sid: 'a' }), [])
    t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: 'a' }), [])
    t.strictSame(await store.deleteSessionsByMetadata({ other: 'a' }), [])
    t.equal(await store.deleteAllSessions(), 1)
    const code = newDeviceCode()
    t.equal(await store.deviceCodes.createDeviceCode(code), true)
    t.equal(await store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: at }), true)
    t.equal(await store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')), true)
    t.equal((await store.deviceCodes.getDeviceCode(code.id))?.userId, 'ada')
    t.equal((await store.deviceCodes.findDeviceCode(code.userCodeId))?.userId, 'ada')
    t.equal((await store.deviceCodes.consumeDeviceCode(code.id))?.userId, 'ada')
    t.equal(await store.deviceCodes.deleteExpiredDeviceCodes(code.expiresAt, 10), 0)
    await pool.query(`DROP SCHEMA ${quoteIdentifier(options.schema)} CASCADE`)
  })

  t.test('with the longest prefix that is taken, every table and index has a name of its own', async (t) => {
    const tablePrefix = 'p'.repeat(43)
    const { pool, store, schema } = await freshStore(t, server, {}, { tablePrefix })
    await store.migrate()
    const { rows } = await pool.query(
      'SELECT relname AS name FROM pg_class WHERE relnamespace = to_regnamespace($1)',
      [schema],
    )
    const made = [
      'sessions_user_id_idx',
      'sessions_m_a50749d1',
      'sessions_m_9007cedc',
      'device_codes_end_idx',
    ]
    for (const name of made) t.ok(rows.some((row) => row.name === tablePrefix + name, name))
  })

  t.test('a key of indexedMetadata gets its index, and without it start-up would fail', async (t) => {
    const { pool, schema } = await freshStore(t, server)
    const store = new PostgresStore(pool, { schema, indexedMetadata: ['device name', 'oidc_sub'] })
    await t.rejects(store.checkSchema(), { code: 'GOSESH_ERR_STORE_SCHEMA' })
    await store.migrate()
    await store.checkSchema()
    const { rows } = await pool.query(
      "SELECT indexdef FROM pg_indexes WHERE schemaname = $1 AND indexdef LIKE '%device name%'",
      [schema],
    )
    t.equal(rows.length, 1)
    const [one, other] = [newSession({ metadata: { 'device name': 'x' } }), newSession()]
    for (const session of [one, other]) await store.createSession(session)
    t.strictSame(await store.deleteSessionsByMetadata({ 'device name': 'x' }), [one.id])
    await new PostgresStore(pool, { schema }).checkSchema()
  })

  t.test('two stores on one pool keep their sessions apart', async (t) => {
    const { pool, store, schema } = await freshStore(t, server, { max: 1 })
    const other = new PostgresStore(pool, { schema, tablePrefix: 'other_' })
    await other.migrate()
    const session = newSession()
    await store.createSession(session)
    t.equal(await other.getSession(session.id), null)
    t.not(await store.getSession(session.id), null)
  })

  t.test('upsertUser is the application’s where it gives one, and no table of users is made', async (t) => {
    const known = new Map([['ada@example.com', 'user-1']])
    const upsertUser = async (authProviderId: string): Promise<string> => {
      const id = known.get(authProviderId)
      if (id === undefined) throw new TypeError('blocked')
      return id
    }
    const { pool, store, schema } = await freshStore(t, server, {}, { upsertUser })
    t.strictSame(await tablesOf(pool, schema), [
      'gosesh_device_codes',
      'gosesh_revocation_marker',
      'gosesh_revocations',
      'gosesh_schema',
      'gosesh_session_data',
      'gosesh_sessions',
    ])
    t.equal(await store.upsertUser('ada@example.com'), 'user-1')
    await t.rejects(store.upsertUser('eve@example.com'), new TypeError('blocked'))
    await testUserCodes(t, store)
  })

  t.test('a table of users is made once the application gives no upsertUser any more', async (t) => {
    const { pool, schema } = await freshStore(t, server, {}, { upsertUser: async () => 'user-1' })
    const store = new PostgresStore(pool, { schema })
    await store.migrate()
    t.equal(await store.upsertUser('ada'), userIdOf('ada'))
  })
}
