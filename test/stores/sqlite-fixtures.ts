import { join } from 'node:path'
import LibsqlDatabase from 'libsql'
import type { Test } from 'tap'
import { GoseshError } from '../../lib/core/errors.js'
import { type SqliteDatabase, SqliteStore, type SqliteStoreOptions } from '../../lib/stores/sqlite/index.js'
import { decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'
import { newSession } from '../../lib/testing/fixtures.js'
import type { DeviceCode } from '../../types/device-code.js'
import type { SessionId } from '../../types/session.js'
import type { SessionRecord } from '../../types/store.js'
import { dataCalls } from '../tools/data-calls.js'

export type OpenDatabase = SqliteDatabase & { readonly isOpen?: boolean; close(): unknown }
export type Open = (path: string) => OpenDatabase

/** The file of the test's own database. */
function fileOf(t: Test): string {
  return join(t.testdirName, 'sessions.db')
}

/** Opens the file of the test, which may be open already. */
export function connect(t: Test, open: Open = (path) => new LibsqlDatabase(path)): OpenDatabase {
  const database = open(fileOf(t))
  t.teardown(() => database.open !== false && database.isOpen !== false && database.close())
  return database
}

/** A store on a new file. */
export async function makeStore(
  t: Test,
  options?: SqliteStoreOptions,
  open?: Open,
): Promise<{ store: SqliteStore; database: OpenDatabase }> {
  t.testdir()
  const database = connect(t, open)
  const store = new SqliteStore(database, options)
  await store.migrate()
  return { store, database }
}

/** The database, with `around` in the way of every run of a statement. */
export function intercept(
  database: SqliteDatabase,
  around: (run: () => unknown, sql: string) => unknown,
): SqliteDatabase {
  return {
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql)
      return {
        run: (...values) => around(() => statement.run(...values), sql) as { changes: number },
        get: (...values) => around(() => statement.get(...values), sql),
        all: (...values) => around(() => statement.all(...values), sql) as unknown[],
      }
    },
  }
}

/** The database, with the SQL of everything that is prepared and that runs. */
export function watch(database: SqliteDatabase): SqliteDatabase & { prepared: string[]; ran: string[] } {
  const prepared: string[] = []
  const ran: string[] = []
  const watched = intercept(database, (run, sql) => {
    ran.push(sql)
    return run()
  })
  return {
    ...watched,
    prepared,
    ran,
    prepare(sql) {
      prepared.push(sql)
      return watched.prepare(sql)
    },
  }
}

export function tablesOf(database: SqliteDatabase): string[] {
  const rows = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all()
  return (rows as { name: string }[]).map(({ name }) => name).filter((name) => !name.startsWith('sqlite_'))
}

export function batchOf(sessions: readonly SessionRecord[]): Map<SessionId, Date> {
  return new Map(sessions.map(({ id, lastActivityAt }) => [id, lastActivityAt]))
}

/** One call of every method that reaches the database. */
export function everyCall(
  store: SqliteStore,
  session: SessionRecord = newSession(),
  code: DeviceCode = newDeviceCode(),
): Record<string, () => Promise<unknown>> {
  return {
    createDeviceCode: () => store.deviceCodes.createDeviceCode(code),
    getDeviceCode: () => store.deviceCodes.getDeviceCode(code.id),
    findDeviceCode: () => store.deviceCodes.findDeviceCode(code.userCodeId),
    recordDevicePoll: () =>
      store.deviceCodes.recordDevicePoll(code.id, { interval: 1, lastPolledAt: code.createdAt }),
    decideDeviceCode: () => store.deviceCodes.decideDeviceCode(code.userCodeId, decisionOf('ada')),
    consumeDeviceCode: () => store.deviceCodes.consumeDeviceCode(code.id),
    deleteExpiredDeviceCodes: () => store.deviceCodes.deleteExpiredDeviceCodes(new Date(), 100),
    'deleteSessionsByMetadata, oidc_sid': () => store.deleteSessionsByMetadata({ oidc_sid: 'a' }),
    'deleteSessionsByMetadata, oidc_sub': () => store.deleteSessionsByMetadata({ oidc_sub: 'a' }),
    'deleteSessionsByMetadata, other': () => store.deleteSessionsByMetadata({ device: 'phone' }),
    ...dataCalls(store, session.id),
    upsertUser: () => store.upsertUser('oidc|1'),
    createSession: () => store.createSession(session),
    getSession: () => store.getSession(session.id),
    extendSession: () => store.extendSession(session.id, session),
    deleteSession: () => store.deleteSession(session.id),
    deleteUserSessions: () => store.deleteUserSessions(String(session.userId)),
    batchRecordActivity: () => store.batchRecordActivity(batchOf([session])),
    listUserSessions: () => store.listUserSessions(String(session.userId)),
    deleteExpiredSessions: () => store.deleteExpiredSessions(new Date(), 100),
    deleteAllSessions: () => store.deleteAllSessions(),
  }
}

/** What the call rejects with. */
export async function rejection(call: Promise<unknown>): Promise<GoseshError> {
  const error = await call.then(
    () => null,
    (error: unknown) => error,
  )
  if (error instanceof GoseshError) return error
  throw new Error('the call did not reject with a GoseshError', { cause: error })
}
