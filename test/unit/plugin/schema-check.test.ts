import { join } from 'node:path'
import LibsqlDatabase from 'libsql'
import t, { type Test } from 'tap'
import { GoseshError, type GoseshOptions } from '../../../lib/index.js'
import { SqliteStore } from '../../../lib/stores/sqlite/index.js'
import { buildApp, signIn } from '../../tools/app.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

const schema = { code: 'GOSESH_ERR_STORE_SCHEMA', message: /run await store\.migrate\(\)/ }

function openDatabase(t: Test): LibsqlDatabase.Database {
  const database = new LibsqlDatabase(join(t.testdir(), 'sessions.db'))
  t.teardown(() => database.open && database.close())
  return database
}

async function start(t: Test, options: GoseshOptions): Promise<void> {
  await buildApp(t, options).ready()
}

t.test('start-up fails if the tables are missing or older, and says what to do', async (t) => {
  const database = openDatabase(t)
  const store = new SqliteStore(database)
  await t.rejects(store.checkSchema(), schema)
  await t.rejects(start(t, { store }), schema, 'missing')
  await store.migrate()
  database.exec(`DROP INDEX gosesh_sessions_m_9007cedc;
    DELETE FROM gosesh_schema WHERE part = 'm_9007cedc'`)
  await t.rejects(start(t, { store: async () => store }), schema, 'older, and later known')
  await store.migrate()
  await t.resolves(start(t, { store }))
  database.exec("UPDATE gosesh_schema SET version = 9 WHERE part = 'sessions'")
  await t.resolves(start(t, { store }), 'newer tables will do')
})

t.test('checkSchema looks anew each time', async (t) => {
  const database = openDatabase(t)
  const store = new SqliteStore(database)
  await store.migrate()
  await t.resolves(store.checkSchema())
  database.exec('DROP TABLE gosesh_schema')
  await t.rejects(store.checkSchema(), schema)
})

const troubles: Record<string, () => Promise<void>> = {
  'is down': () => Promise.reject(new Error('connect ECONNREFUSED')),
  hangs: () => new Promise(() => {}),
  'may not look': () => Promise.reject(new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE')),
}
for (const [trouble, checkSchema] of Object.entries(troubles)) {
  t.test(`a store that ${trouble} at start is warned of, and the application starts`, async (t) => {
    const logger = recordingLogger()
    const store = Object.assign(new WatchedStore(), { checkSchema })
    const app = buildApp(t, { store, logger, storeTimeout: 50 })
    await app.ready()
    const warnings = logger.lines.filter(({ message }) => message.includes('whether its tables are there'))
    t.match(warnings, [{ level: 'warn', details: { err: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } } }])
    await t.resolves(signIn(app))
  })
}
