import pg from 'pg'
import t from 'tap'
import { assertKept, decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import {
  activeAt,
  assertSession,
  hour,
  idleDeadlineOf,
  later,
  newSession,
  newSessions,
} from '../../lib/testing/fixtures.js'
import type { SessionMetadata } from '../../types/session.js'
import type { SessionRecord } from '../../types/store.js'
import { freshStore, untilWaiting } from '../tools/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../tools/postgres-server.js'

function storageTests(server: PostgresServer): void {
  const full = newSession({ metadata: { zebra: '1', apple: '"\\\u2028🙂\ud800' } })

  t.test('parsers that the application set for all of pg have no say', async (t) => {
    const parsers = [
      pg.types.builtins.TIMESTAMPTZ,
      pg.types.builtins.INT8,
      pg.types.builtins.TEXT,
      pg.types.builtins.JSON,
    ]
    for (const oid of parsers) {
      const parser = pg.types.getTypeParser(oid)
      pg.types.setTypeParser(oid, () => 'parsed by the application')
      t.teardown(() => pg.types.setTypeParser(oid, parser))
    }
    const { store } = await freshStore(t, server)
    await store.createSession(full)
    const at = later(full.lastActivityAt, 1_001)
    t.equal(await store.batchRecordActivity(new Map([[full.id, at]])), 1)
    assertSession(await store.getSession(full.id), activeAt(full, at))
    t.equal(await store.deleteExpiredSessions(later(full.absoluteDeadline, 1), 5), 1)
  })

  for (const setting of [
    '-c DateStyle=SQL,DMY -c TimeZone=America/St_Johns -c IntervalStyle=sql_standard',
    '-c standard_conforming_strings=off -c extra_float_digits=-15 -c TimeZone=Asia/Kathmandu',
  ]) {
    t.test(`times are exact and metadata as given with ${setting}`, async (t) => {
      const { store } = await freshStore(t, server, { options: setting })
      await store.createSession(full)
      assertSession(await store.getSession(full.id), full)
      const at = later(full.lastActivityAt, 1_001)
      t.equal(await store.batchRecordActivity(new Map([[full.id, at]])), 1)
      const session = await store.getSession(full.id)
      assertSession(session, activeAt(full, at))
      t.strictSame(Object.keys(session?.metadata ?? {}), ['zebra', 'apple'])
      const code = newDeviceCode({ metadata: full.metadata, lastPolledAt: new Date(1_001) })
      await store.deviceCodes.createDeviceCode(code)
      await assertKept(store.deviceCodes, code)
    })
  }

  t.test('a client in binary mode reads the same', async (t) => {
    const { store } = await freshStore(t, server, { binary: true } as pg.PoolConfig)
    await store.createSession(full)
    assertSession(await store.getSession(full.id), full)
  })

  t.test('times before 1970, as of a clock that is wrong, are kept', async (t) => {
    const { store } = await freshStore(t, server)
    const old = { ...full, createdAt: new Date(-1_234), lastActivityAt: new Date(-1) }
    await store.createSession(old)
    assertSession(await store.getSession(old.id), old)
  })

  for (const [plan, options] of Object.entries({
    'by index': '',
    'reading the whole table': '-c enable_indexscan=off -c enable_bitmapscan=off',
  })) {
    t.test(
      `metadata that is no object of text keeps no other session from being found, ${plan}`,
      async (t) => {
        const { pool, store, sessions } = await freshStore(t, server, { options })
        const [found, ...broken] = newSessions(6, { metadata: { oidc_sub: 'ada', device: 'phone' } })
        for (const session of [found as SessionRecord, ...broken]) await store.createSession(session)
        const texts = ['[]', '"oidc_sub"', '{"oidc_sub":{}}', '{"oidc_sub":1}', '{"note":"\\ud800"}']
        for (const [i, text] of texts.entries()) {
          await pool.query(`UPDATE ${sessions} SET metadata = $1::json WHERE id = $2`, [text, broken[i]?.id])
        }
        const absent: readonly SessionMetadata[] = [
          { oidc_sub: '1' },
          { oidc_sub: '{}' },
          { oidc_sid: '1' },
          { device: 'tablet' },
        ]
        for (const pairs of absent) t.strictSame(await store.deleteSessionsByMetadata(pairs), [])
        t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }), [found?.id])
        await store.createSession(found as SessionRecord)
        t.strictSame(await store.deleteSessionsByMetadata({ device: 'phone' }), [found?.id])
        t.equal(await store.deleteUserSessions('user'), 5)
      },
    )
  }

  t.test('no hand can leave a device code approved for nobody', async (t) => {
    const { pool, store, schema } = await freshStore(t, server)
    await store.deviceCodes.createDeviceCode(newDeviceCode())
    for (const change of ["status = 'approved'", "user_id = 'eve'", "status = 'other'"]) {
      await t.rejects(pool.query(`UPDATE ${schema}.gosesh_device_codes SET ${change}`), { code: '23514' })
    }
  })

  t.test('metadata of a device code that was changed by hand is unreadable, and not quoted', async (t) => {
    const { pool, store, schema } = await freshStore(t, server)
    const code = newDeviceCode()
    await store.deviceCodes.createDeviceCode(code)
    await pool.query(`UPDATE ${schema}.gosesh_device_codes SET metadata = '{"a":1}'`)
    for (const call of [
      () => store.deviceCodes.getDeviceCode(code.id),
      () => store.deviceCodes.findDeviceCode(code.userCodeId),
    ]) {
      await t.rejects(call, { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: undefined })
    }
  })

  t.test('a decision that another one overtakes changes nothing, whatever isolation there is', async (t) => {
    for (const isolation of ['read committed', 'serializable']) {
      const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
      const { pool, store, schema } = await freshStore(t, server, { options })
      const code = newDeviceCode()
      await store.deviceCodes.createDeviceCode(code)
      const client = await pool.connect()
      await client.query('BEGIN')
      await client.query(`UPDATE ${schema}.gosesh_device_codes SET status = 'denied'`)
      const decided = store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada'))
      await untilWaiting(pool)
      await client.query('COMMIT')
      client.release()
      t.equal(await decided, false, isolation)
      await assertKept(store.deviceCodes, { ...code, status: 'denied' })
    }
  })

  t.test('statements are prepared, each under a name of its own', async (t) => {
    const { pool, store } = await freshStore(t, server, { max: 1 })
    await store.getSession(full.id)
    await store.deleteSession(full.id)
    const { rowCount } = await pool.query("SELECT FROM pg_prepared_statements WHERE name LIKE 'gosesh_%'")
    t.equal(rowCount, 2)
  })

  t.test('preparedStatements: false leaves nothing prepared on the connection', async (t) => {
    const { pool, store } = await freshStore(t, server, { max: 1 }, { preparedStatements: false })
    await store.createSession(full)
    assertSession(await store.getSession(full.id), full)
    t.equal((await pool.query('SELECT FROM pg_prepared_statements')).rowCount, 0)
  })

  t.test('an extension that a deletion overtakes says that the session is gone', async (t) => {
    const { pool, store, sessions } = await freshStore(t, server)
    const session = newSession()
    await store.createSession(session)
    const client = await pool.connect()
    await client.query('BEGIN')
    await client.query(`DELETE FROM ${sessions}`)
    const extended = store.extendSession(session.id, {
      lastActivityAt: later(session.lastActivityAt, 1_000),
      idleDeadline: later(idleDeadlineOf(session), 1_000),
    })
    await untilWaiting(pool)
    await client.query('COMMIT')
    client.release()
    t.equal(await extended, false)
  })

  t.test(
    'an extension that another one overtakes says that the session is there, and the latest stands',
    async (t) => {
      const { pool, store, sessions } = await freshStore(t, server)
      const session = newSession()
      await store.createSession(session)
      const newest = later(session.lastActivityAt, 5_000)
      const client = await pool.connect()
      await client.query('BEGIN')
      await client.query(`UPDATE ${sessions} SET last_activity_at = $1`, [newest.toISOString()])
      const extended = store.extendSession(session.id, {
        lastActivityAt: later(session.lastActivityAt, 1_000),
        idleDeadline: session.idleDeadline,
      })
      await untilWaiting(pool)
      await client.query('COMMIT')
      client.release()
      t.equal(await extended, true)
      assertSession(await store.getSession(session.id), { ...session, lastActivityAt: newest })
    },
  )

  t.test('deleteUserSessions deletes a session that is being written when it begins', async (t) => {
    const { pool, store, sessions } = await freshStore(t, server)
    await store.createSession(newSession())
    const client = await pool.connect()
    await client.query('BEGIN')
    await client.query(`UPDATE ${sessions} SET last_activity_at = last_activity_at + interval '1 hour'`)
    const deleted = store.deleteUserSessions('user')
    await untilWaiting(pool)
    await client.query('COMMIT')
    client.release()
    t.equal(await deleted, 1)
    t.strictSame(await store.listUserSessions('user'), [])
  })

  t.test('a sweep does not wait for a session that somebody writes', async (t) => {
    const { pool, store, sessions } = await freshStore(t, server)
    const [held, free] = newSessions(2, { age: 10 * hour }) as [SessionRecord, SessionRecord]
    for (const session of [held, free]) await store.createSession(session)
    const client = await pool.connect()
    await client.query('BEGIN')
    await client.query(`SELECT FROM ${sessions} WHERE id = $1 FOR UPDATE`, [held.id])
    t.equal(await store.deleteExpiredSessions(later(held.lastActivityAt, 5 * hour), 10), 1)
    await client.query('COMMIT')
    client.release()
    t.equal(await store.getSession(free.id), null)
  })
}

const server = await startPostgres(t)
if (server !== null) storageTests(server)
