import fastifyPostgres from '@fastify/postgres'
import Fastify, { type FastifyInstance } from 'fastify'
import pg from 'pg'
import t from 'tap'
import gosesh from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { migrationLock } from '../../lib/stores/postgres/migrations.js'
import { assertKept, decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { assertSession, later, newSession } from '../../lib/testing/fixtures.js'
import { addRoutes, buildApp, signIn } from '../tools/app.js'
import { dataCalls } from '../tools/data-calls.js'
import { freshStore, newSchema, until, untilWaiting } from '../tools/postgres-fixtures.js'
import { type PostgresServer, startPostgres } from '../tools/postgres-server.js'

const unavailable = { code: 'GOSESH_ERR_STORE_UNAVAILABLE' }

async function backendsOf(pool: pg.Pool, application: string): Promise<number> {
  const { rowCount } = await pool.query('SELECT FROM pg_stat_activity WHERE application_name = $1', [
    application,
  ])
  return rowCount ?? 0
}

function faultTests(server: PostgresServer): void {
  t.test('an idle connection that the server drops ends nothing', async (t) => {
    const { pool, store } = await freshStore(t, server, { max: 1, application_name: 'dropped' })
    const admin = server.pool(t)
    const removed = new Promise((resolve) => pool.once('remove', resolve))
    await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dropped'",
    )
    await removed
    t.equal(await store.getSession(newSession().id), null)
  })

  t.test('a connection that is lost during migrate rejects it, and is not kept', async (t) => {
    const { pool, store } = await freshStore(t, server, { max: 1, application_name: 'migrating' })
    const admin = server.pool(t)
    const holder = await admin.connect()
    await holder.query('BEGIN')
    await holder.query('SELECT pg_advisory_xact_lock($1)', [migrationLock])
    const migrated = store.migrate()
    migrated.catch(() => {})
    await untilWaiting(admin)
    await admin.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'migrating'",
    )
    await t.rejects(migrated, unavailable)
    await holder.query('ROLLBACK')
    holder.release()
    await until('the pool has let go of it', async () => pool.totalCount === 0)
    await t.resolves(store.migrate())
  })

  t.test('a server that is killed during migrate rejects it, and ends nothing', async (t) => {
    const { pool, store } = await freshStore(t, server)
    const client = new pg.Client(server.connection)
    client.on('error', () => {})
    await client.connect()
    await client.query('SELECT pg_advisory_lock($1)', [migrationLock])
    const migrated = store.migrate()
    migrated.catch(() => {})
    await untilWaiting(pool)
    await server.kill()
    await t.rejects(migrated, unavailable)
    await server.start()
    await t.resolves(store.migrate())
  })

  t.test('a server that is killed and comes back: calls reject meanwhile, and then work', async (t) => {
    const { pool, store } = await freshStore(t, server, { max: 3, application_name: 'survivor' })
    const session = newSession()
    await store.createSession(session)
    const code = newDeviceCode()
    await store.deviceCodes.createDeviceCode(code)
    await Promise.all([1, 2, 3].map(() => store.getSession(session.id)))
    await server.kill()
    const at = later(session.lastActivityAt, 1_000)
    const calls = {
      getSession: () => store.getSession(session.id),
      createSession: () => store.createSession(newSession()),
      extendSession: () => store.extendSession(session.id, { lastActivityAt: at, idleDeadline: null }),
      deleteSession: () => store.deleteSession(session.id),
      batchRecordActivity: () => store.batchRecordActivity(new Map([[session.id, at]])),
      deleteExpiredSessions: () => store.deleteExpiredSessions(session.createdAt, 10),
      upsertUser: () => store.upsertUser('ada'),
      deleteSessionsByMetadata: () => store.deleteSessionsByMetadata({ oidc_sub: 'ada' }),
      ...dataCalls(store, session.id),
      createDeviceCode: () => store.deviceCodes.createDeviceCode(newDeviceCode()),
      getDeviceCode: () => store.deviceCodes.getDeviceCode(code.id),
      findDeviceCode: () => store.deviceCodes.findDeviceCode(code.userCodeId),
      recordDevicePoll: () => store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: at }),
      decideDeviceCode: () => store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')),
      consumeDeviceCode: () => store.deviceCodes.consumeDeviceCode(code.id),
      deleteExpiredDeviceCodes: () => store.deviceCodes.deleteExpiredDeviceCodes(code.expiresAt, 10),
      migrate: () => store.migrate(),
    }
    for (const [method, call] of Object.entries(calls))
      await t.rejects(call() as Promise<unknown>, unavailable, method)
    await server.start()
    assertSession(await store.getSession(session.id), session)
    await assertKept(store.deviceCodes, code)
    t.equal(await store.batchRecordActivity(new Map([[session.id, at]])), 1)
    t.equal(pool.waitingCount, 0)
    t.equal(pool.totalCount, pool.idleCount)
    t.equal(await backendsOf(server.pool(t), 'survivor'), pool.totalCount)
  })

  t.test('an application starts while the server is down, and works once it is back', async (t) => {
    const { store } = await freshStore(t, server)
    await server.kill()
    const app = buildApp(t, { store, sweepInterval: null })
    await app.ready()
    await server.start()
    await t.resolves(signIn(app))
  })

  t.test('a deletion that is cut off rejects, and a later one finishes it', async (t) => {
    const { pool, store, sessions } = await freshStore(t, server, { application_name: 'cut' })
    await store.createSession(newSession())
    const admin = server.pool(t)
    const holder = await admin.connect()
    await holder.query('BEGIN')
    await holder.query(`SELECT FROM ${sessions} FOR UPDATE`)
    const deleted = store.deleteAllSessions()
    deleted.catch(() => {})
    await untilWaiting(admin)
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cut'")
    await t.rejects(deleted, unavailable)
    await holder.query('ROLLBACK')
    holder.release()
    t.equal(await store.deleteAllSessions(), 1)
    t.equal(pool.totalCount, pool.idleCount)
  })

  t.test(
    'a server that stands still is 503 in bounded time, signs nobody out, and then serves again',
    async (t) => {
      const { store } = await freshStore(t, server)
      const app = buildApp(t, { store, storeTimeout: 300, sweepInterval: null })
      const { cookie } = await signIn(app)
      t.equal((await app.inject({ url: '/me', headers: { cookie } })).statusCode, 200)
      server.pause()
      try {
        const response = await app.inject({ url: '/me', headers: { cookie } })
        t.equal(response.statusCode, 503)
        t.equal(response.json().code, 'GOSESH_ERR_STORE_UNAVAILABLE')
        t.equal(response.headers['set-cookie'], undefined)
      } finally {
        server.resume()
      }
      t.equal((await app.inject({ url: '/me', headers: { cookie } })).statusCode, 200)
    },
  )

  /** How an application makes the pool, sees to its end and gives it to the store. */
  const setUps: Record<string, (app: FastifyInstance) => (app: FastifyInstance) => pg.Pool> = {
    '@fastify/postgres': (app) => {
      app.register(fastifyPostgres, server.connection)
      return (app) => app.pg.pool
    },
    'an onClose hook of the application': (app) => {
      const pool = new pg.Pool(server.connection)
      app.addHook('onClose', () => pool.end())
      return () => pool
    },
  }
  for (const [name, setUp] of Object.entries(setUps)) {
    t.test(`with ${name}, the last flush comes before the pool ends`, async (t) => {
      const schema = newSchema()
      const observer = new PostgresStore(server.pool(t), { schema })
      await observer.migrate()
      let now = Date.now()
      const app = Fastify()
      t.teardown(() => app.close())
      const poolOf = setUp(app)
      app.register(gosesh, {
        store: (app) => new PostgresStore(poolOf(app), { schema }),
        activityTracking: {},
        clock: { now: () => now },
      })
      addRoutes(app)
      const { cookie, session } = await signIn(app)
      const signedInAt = now
      now += 5_000
      const response = await app.inject({ url: '/me', headers: { cookie } })
      t.equal(response.statusCode, 200)
      const before = await observer.getSession(session.id)
      t.equal(before?.lastActivityAt.getTime(), signedInAt, 'not written yet')
      const pool = poolOf(app)
      await app.close()
      t.ok(pool.ended)
      const after = await observer.getSession(session.id)
      t.equal(after?.lastActivityAt.getTime(), now)
    })
  }
}

const server = await startPostgres(t)
if (server !== null) faultTests(server)
