import t from 'tap'
import { metadataIndexName } from '../../lib/stores/shared/metadata.js'
import { SqliteStore } from '../../lib/stores/sqlite/index.js'
import { sqliteIndexedFact } from '../../lib/stores/sqlite/migrations.js'
import { newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { newSession, newSessions } from '../../lib/testing/fixtures.js'
import type { SessionRecord } from '../../types/store.js'
import { makeStore, rejection, watch } from './sqlite-fixtures.js'

t.test('metadata that was changed by hand is unreadable, and not quoted', async (t) => {
  const { store, database } = await makeStore(t)
  const session = newSession()
  await store.createSession(session)
  for (const metadata of ['{', '[]', '1', 'null', '{"a":1}']) {
    database.prepare('UPDATE gosesh_sessions SET metadata = ?').run(metadata)
    const error = await rejection(store.getSession(session.id))
    t.equal(error.code, 'GOSESH_ERR_STORE_UNAVAILABLE', metadata)
    t.equal(error.cause, undefined)
  }
})

t.test('metadata that was changed by hand keeps no other session from being found', async (t) => {
  const { store, database } = await makeStore(t)
  const [found, ...broken] = newSessions(6, { metadata: { oidc_sub: 'ada', device: 'phone' } })
  for (const session of [found as SessionRecord, ...broken]) await store.createSession(session)
  for (const [i, metadata] of [
    '{"oidc_sub":"ada"',
    '[]',
    '1',
    '{"oidc_sub":{}}',
    '{"oidc_sub":1}',
  ].entries()) {
    database
      .prepare('UPDATE gosesh_sessions SET metadata = ? WHERE id = ?')
      .run(metadata, broken[i]?.id as string)
  }
  t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: '1' }), [])
  t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: '{}' }), [])
  t.strictSame(await store.deleteSessionsByMetadata({ device: 'tablet' }), [])
  t.strictSame(await store.deleteSessionsByMetadata({ device: 'phone' }), [found?.id])
  t.equal(await store.deleteUserSessions('user'), 5)
})

t.test('metadata of a device code that was changed by hand is unreadable, and not quoted', async (t) => {
  const { store, database } = await makeStore(t)
  const code = newDeviceCode()
  await store.deviceCodes.createDeviceCode(code)
  database.exec(`UPDATE gosesh_device_codes SET metadata = '{"a":1}'`)
  for (const call of [
    () => store.deviceCodes.getDeviceCode(code.id),
    () => store.deviceCodes.findDeviceCode(code.userCodeId),
  ]) {
    t.match(await rejection(call()), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause: undefined })
  }
})

t.test('no hand can leave a device code approved for nobody', async (t) => {
  const { store, database } = await makeStore(t)
  await store.deviceCodes.createDeviceCode(newDeviceCode())
  for (const change of ["status = 'approved'", "user_id = 'eve'", "status = 'other'"]) {
    t.throws(() => database.exec(`UPDATE gosesh_device_codes SET ${change}`), /CHECK constraint/)
  }
})

t.test('a session without the keys that logout goes by is in neither of their indexes', async (t) => {
  const { store, database } = await makeStore(t)
  await store.createSession(newSession())
  await store.createSession(newSession({ metadata: { device: 'phone' } }))
  await store.createSession(newSession({ metadata: { oidc_iss: 'op', oidc_sub: 'ada' } }))
  const watched = watch(database)
  const counting = new SqliteStore(watched)
  await counting.createSession(newSession({ metadata: { oidc_sid: '1' } }))
  t.equal(watched.ran.filter((sql) => /INSERT/.test(sql)).length, 1, 'and a sign-in is one statement')
  for (const key of ['oidc_sid', 'oidc_sub']) {
    const fact = sqliteIndexedFact(key)
    const from = `gosesh_sessions INDEXED BY gosesh_sessions_${metadataIndexName(key)} WHERE ${fact} IS NOT NULL`
    t.match(database.prepare(`SELECT count(*) AS entries FROM ${from}`).get(), { entries: 1 })
  }
})
