import pg from 'pg'
import t from 'tap'
import { type PostgresPool, type PostgresQuery, PostgresStore } from '../../lib/stores/postgres/index.js'
import { decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { newSession } from '../../lib/testing/fixtures.js'
import { dataCalls } from '../tools/data-calls.js'
import { freshStore, newSchema } from '../tools/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../tools/postgres-server.js'

const session = newSession()
const { id } = session
const code = newDeviceCode()
const poll = { interval: 1, lastPolledAt: code.createdAt }

interface FailingPool extends PostgresPool {
  readonly queries: PostgresQuery[]
  /** What each client was released with. */
  readonly released: unknown[]
}

/** A pool whose queries of the store fail with these, one after the other, and then find nothing. */
function failingPool(...failures: unknown[]): FailingPool {
  const queries: PostgresQuery[] = []
  const released: unknown[] = []
  const query: PostgresPool['query'] = async (query) => {
    queries.push(query)
    const failure = /^(BEGIN|COMMIT)/.test(query.text) ? undefined : failures.shift()
    if (failure !== undefined) throw failure
    return { rows: [], rowCount: 0 }
  }
  return {
    queries,
    released,
    query,
    connect: async () => ({
      query,
      on() {},
      removeListener() {},
      release: (failed) => released.push(failed),
    }),
    on() {},
    listenerCount: () => 1,
    totalCount: 0,
  }
}

function sqlError(code: string): Error {
  return Object.assign(new Error(code), { code })
}

t.test('a wrong option is GOSESH_ERR_OPTION', async (t) => {
  const pool = failingPool()
  const wrong: [string, unknown][] = [
    ['schema', ''],
    ['schema', 5],
    ['schema', 'a\0b'],
    ['schema', '\ud800'],
    ['schema', 'x'.repeat(64)],
    ['tablePrefix', 'ü'.repeat(22)],
    ['tablePrefix', 5],
    ['upsertUser', 'users'],
    ['preparedStatements', 1],
    ['table', 'sessions'],
  ]
  for (const [name, value] of wrong) {
    t.throws(
      () => new PostgresStore(pool, { [name]: value }),
      { code: 'GOSESH_ERR_OPTION', message: new RegExp(`^Option (PostgresStore\\.)?${name} is`) },
      `${name}: ${value}`,
    )
  }
})

t.test('the longest names that fit are taken', async (t) => {
  t.doesNotThrow(
    () => new PostgresStore(failingPool(), { schema: 'x'.repeat(63), tablePrefix: 'p'.repeat(43) }),
  )
})

t.test('what is no pool is GOSESH_ERR_OPTION, and says what is', async (t) => {
  for (const pool of [undefined, null, 'postgres://localhost', {}, { query() {}, connect() {} }]) {
    t.throws(() => new PostgresStore(pool as unknown as PostgresPool), {
      code: 'GOSESH_ERR_OPTION',
      message: /app\.pg\.pool/,
    })
  }
})

t.test('a statement that was rolled back in favour of another is sent again', async (t) => {
  const pool = failingPool(...Array(4).fill(sqlError('40P01')))
  t.equal(await new PostgresStore(pool).deleteUserSessions('user'), 0)
  t.equal(pool.queries.length, 5)
})

t.test('a serialization failure is tried again where there is none, in READ COMMITTED', async (t) => {
  const pool = failingPool(sqlError('40001'), sqlError('40P01'))
  t.equal(await new PostgresStore(pool).deleteUserSessions('user'), 0)
  const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE'
  const text = pool.queries[0]?.text
  t.strictSame(
    pool.queries.map((query) => query.text),
    [text, begin, text, begin, text, 'COMMIT'],
  )
  t.strictSame(pool.released, [true, false], 'a connection with a failure behind it is not kept')
})

t.test('a statement that is always rolled back fails in the end', async (t) => {
  const victim = sqlError('40P01')
  const pool = failingPool(...Array(50).fill(victim))
  await t.rejects(new PostgresStore(pool).deleteUserSessions('user'), {
    code: 'GOSESH_ERR_STORE_UNAVAILABLE',
    cause: victim,
  })
  t.equal(pool.queries.length, 5)
  t.strictSame(pool.released, [])
})

t.test(
  'every other failure is GOSESH_ERR_STORE_UNAVAILABLE at once, without ids, and has its cause',
  async (t) => {
    for (const cause of [
      sqlError('57P01'),
      sqlError('ECONNREFUSED'),
      new Error(`connect ${id}`),
      null,
      undefined,
    ]) {
      const pool = failingPool()
      pool.query = () => Promise.reject(cause)
      const failure = await new PostgresStore(pool).getSession(id).catch((error) => error)
      t.match(failure, { code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503 })
      t.equal(failure.cause, cause)
      t.notMatch(failure.message, id)
    }
  },
)

t.test('an empty batch, and no pairs, are no round trip', async (t) => {
  const pool = failingPool()
  t.equal(await new PostgresStore(pool).batchRecordActivity(new Map()), 0)
  t.strictSame(await new PostgresStore(pool).deleteSessionsByMetadata({}), [])
  t.equal(pool.queries.length, 0)
})

t.test(
  'every statement has a name of its own, another one for other tables, none of them too long',
  async (t) => {
    const names = async (options: { schema?: string; tablePrefix?: string }): Promise<string[]> => {
      const pool = failingPool()
      const store = new PostgresStore(pool, options)
      await store.upsertUser('ada')
      await store.createSession(session).catch(() => {})
      await store.getSession(id)
      await store.deleteSession(id)
      await store.deleteUserSessions('ada')
      await store.listUserSessions('ada')
      for (const key of ['oidc_sid', 'oidc_sub', 'device'])
        await store.deleteSessionsByMetadata({ [key]: 'a' })
      await store.deviceCodes.createDeviceCode(code)
      await store.deviceCodes.getDeviceCode(code.id)
      await store.deviceCodes.findDeviceCode(code.userCodeId)
      await store.deviceCodes.recordDevicePoll(code.id, poll)
      await store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf(null))
      await store.deviceCodes.consumeDeviceCode(code.id)
      await store.deviceCodes.deleteExpiredDeviceCodes(code.createdAt, 10)
      return pool.queries.map(({ name = '' }) => name)
    }
    const all = [await names({}), await names({ schema: 'a' }), await names({ tablePrefix: 'a' })].flat()
    t.equal(new Set(all).size, 48)
    t.ok(all.every((name) => name.length > 0 && name.length < 64))
    t.strictSame(await names({}), all.slice(0, 16))
  },
)

t.test('a pool that nobody listens to gets a listener, another one does not', async (t) => {
  const silent = new pg.Pool()
  new PostgresStore(silent)
  new PostgresStore(silent)
  t.equal(silent.listenerCount('error'), 1)
  t.ok(silent.emit('error', new Error('the server dropped an idle connection')))
  const heard: Error[] = []
  const listening = new pg.Pool().on('error', (error) => heard.push(error))
  new PostgresStore(listening)
  t.equal(listening.listenerCount('error'), 1)
  await Promise.all([silent.end(), listening.end()])
})

function schemaTests(server: PostgresServer): void {
  t.test('without its tables every method is GOSESH_ERR_STORE_SCHEMA, and says what to do', async (t) => {
    const stores = {
      'no schema': new PostgresStore(server.pool(t), { schema: newSchema() }),
      'no table': new PostgresStore(server.pool(t)),
    }
    for (const [what, store] of Object.entries(stores)) {
      const calls = {
        upsertUser: () => store.upsertUser('ada'),
        createSession: () => store.createSession(session),
        getSession: () => store.getSession(id),
        extendSession: () => store.extendSession(id, session),
        deleteSession: () => store.deleteSession(id),
        deleteUserSessions: () => store.deleteUserSessions('ada'),
        batchRecordActivity: () => store.batchRecordActivity(new Map([[id, new Date()]])),
        listUserSessions: () => store.listUserSessions('ada'),
        ...dataCalls(store, id),
        deleteExpiredSessions: () => store.deleteExpiredSessions(new Date(), 10),
        deleteAllSessions: () => store.deleteAllSessions(),
        'deleteSessionsByMetadata, oidc_sub': () => store.deleteSessionsByMetadata({ oidc_sub: 'ada' }),
        'deleteSessionsByMetadata, other': () => store.deleteSessionsByMetadata({ device: 'phone' }),
        createDeviceCode: () => store.deviceCodes.createDeviceCode(code),
        getDeviceCode: () => store.deviceCodes.getDeviceCode(code.id),
        findDeviceCode: () => store.deviceCodes.findDeviceCode(code.userCodeId),
        recordDevicePoll: () => store.deviceCodes.recordDevicePoll(code.id, poll),
        decideDeviceCode: () => store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')),
        consumeDeviceCode: () => store.deviceCodes.consumeDeviceCode(code.id),
        deleteExpiredDeviceCodes: () => store.deviceCodes.deleteExpiredDeviceCodes(new Date(), 10),
      }
      for (const [method, call] of Object.entries(calls)) {
        await t.rejects(
          call() as Promise<unknown>,
          { code: 'GOSESH_ERR_STORE_SCHEMA', message: /await store\.migrate\(\)/, cause: { name: 'error' } },
          `${method} with ${what}`,
        )
      }
    }
  })

  t.test('a table that lacks a column is GOSESH_ERR_STORE_SCHEMA', async (t) => {
    const { pool, store, sessions } = await freshStore(t, server)
    await pool.query(`ALTER TABLE ${sessions} DROP COLUMN metadata CASCADE`)
    await t.rejects(store.getSession(id), { code: 'GOSESH_ERR_STORE_SCHEMA' })
  })

  t.test('a role without the right to is GOSESH_ERR_STORE_UNAVAILABLE', async (t) => {
    const { pool, schema } = await freshStore(t, server)
    await pool.query(`CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA ${schema} TO stranger`)
    const stranger = new PostgresStore(server.pool(t, { user: 'stranger' }), { schema })
    await t.rejects(stranger.getSession(id), {
      code: 'GOSESH_ERR_STORE_UNAVAILABLE',
      cause: { code: '42501' },
    })
  })

  t.test('an id that exists is GOSESH_ERR_SESSION_EXISTS, and costs no connection', async (t) => {
    const { pool, store } = await freshStore(t, server, { max: 1 })
    await store.createSession(session)
    const backend = async (): Promise<number> =>
      (await pool.query('SELECT pg_backend_pid() AS pid')).rows[0].pid
    const before = await backend()
    await t.rejects(store.createSession(session), { code: 'GOSESH_ERR_SESSION_EXISTS' })
    t.equal(await backend(), before)
  })

  t.test('the rights in the documentation are enough for all but migrate', async (t) => {
    const { pool, schema } = await freshStore(t, server)
    await pool.query(`CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA ${schema} TO app;
      GRANT SELECT, INSERT, UPDATE, DELETE
      ON ${schema}.gosesh_sessions, ${schema}.gosesh_users, ${schema}.gosesh_device_codes,
        ${schema}.gosesh_revocations, ${schema}.gosesh_revocation_marker TO app`)
    const store = new PostgresStore(server.pool(t, { user: 'app' }), { schema })
    const at = new Date(session.lastActivityAt.getTime() + 1_000)
    await store.createSession(session)
    t.type(await store.upsertUser('ada'), 'string')
    t.type(await store.upsertUser('ada'), 'string')
    t.equal(await store.batchRecordActivity(new Map([[id, at]])), 1)
    t.equal(await store.extendSession(id, { lastActivityAt: at, idleDeadline: null }), true)
    t.equal((await store.listUserSessions(session.userId)).length, 1)
    t.equal(await store.deleteUserSessions(session.userId, { except: id }), 0)
    t.equal(await store.deleteExpiredSessions(session.createdAt, 10), 0)
    t.equal(await store.deleteAllSessions(), 1)
    t.equal(await store.deleteSession(id), false)
    t.strictSame(await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }), [])
    t.equal(await store.deviceCodes.createDeviceCode(code), true)
    t.equal(await store.deviceCodes.recordDevicePoll(code.id, poll), true)
    t.equal(await store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf(null)), true)
    t.equal((await store.deviceCodes.findDeviceCode(code.userCodeId))?.status, 'denied')
    t.equal((await store.deviceCodes.consumeDeviceCode(code.id))?.status, 'denied')
    t.equal(await store.deviceCodes.deleteExpiredDeviceCodes(code.expiresAt, 10), 0)
  })
}

const server = await startPostgres(t)
if (server !== null) schemaTests(server)
