import pg from 'pg'
import t from 'tap'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import {
  deviceCodeStoreContract,
  revocationLogContract,
  sessionDataStoreContract,
  sessionStoreContract,
} from '../../lib/testing/index.js'
import { startPostgres } from '../tools/postgres-server.js'

const server = await startPostgres(t)
if (server !== null) {
  const pool = new pg.Pool(server.connection)
  t.teardown(() => pool.end())
  const shared = new PostgresStore(pool)
  await shared.migrate()
  const createStore = async (): Promise<PostgresStore> => {
    await pool.query('TRUNCATE gosesh_sessions, gosesh_session_data, gosesh_users, gosesh_device_codes')
    return new PostgresStore(pool)
  }
  sessionStoreContract({
    test: (name, run) => t.test(name, run),
    capabilities: [
      'batchRecordActivity',
      'listUserSessions',
      'deleteExpiredSessions',
      'deleteAllSessions',
      'deleteSessionsByMetadata',
      'updateSession',
      'deleteUser',
      'checkSchema',
    ],
    createStore,
  })
  deviceCodeStoreContract({ test: (name, run) => t.test(name, run), createStore })
  sessionDataStoreContract({ test: (name, run) => t.test(name, run), createStore })
  revocationLogContract({ test: (name, run) => t.test(name, run), createStore })
}
