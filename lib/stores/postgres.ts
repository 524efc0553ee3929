import type { Session, SessionId } from '../../types/session.js'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  ExpiredSessionSweeper,
  SessionExtension,
  SessionLister,
  SessionStore,
} from '../../types/store.js'
import {
  checkBoolean,
  checkObject,
  checkUpsertUser,
  hasMethods,
  secretOptionError,
  type UpsertUser,
} from '../check.js'
import { GoseshError } from '../errors.js'
import { userIdOf } from '../user-id.js'
import { parseMetadata } from './metadata.js'
import { migratePostgres } from './migrations/postgres.js'
import { type PostgresPool, StatementRunner, type TextRow } from './postgres/client.js'
import { type Statements, statements } from './postgres/statements.js'
import { type TableNames, tableNames } from './postgres/tables.js'

export type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './postgres/client.js'

export interface PostgresStoreOptions {
  /** Where the tables are. Default: wherever the connection's `search_path` finds them. */
  readonly schema?: string | undefined
  /** What the names of the tables begin with. Default: `gosesh_`. */
  readonly tablePrefix?: string | undefined
  /**
   * Finds or makes the user of an auth provider id in a table of the application's own, and resolves the user's id;
   * `migrate` then makes no table of users. Default: a table of users beside the sessions.
   */
  readonly upsertUser?: UpsertUser | undefined
  /** `false` for a connection pooler that cannot keep prepared statements. Default: `true`. */
  readonly preparedStatements?: boolean | undefined
}

/** Sessions that one statement of `deleteAllSessions` deletes. */
const deletePageSize = 5_000
/** Blocks of the table, of 8 KiB, that one statement of a sweep looks at: some 25,000 sessions. */
const sweepBlocks = 512

const poolMethods = ['query', 'connect', 'on', 'listenerCount']
const optionNames = ['schema', 'tablePrefix', 'upsertUser', 'preparedStatements']

function toDate(milliseconds: string | null | undefined): Date {
  return new Date(Number(milliseconds))
}

function toSession(row: TextRow): Session {
  const { idle_timeout: idleTimeout, idle_deadline: idleDeadline, metadata } = row
  return {
    id: row.id as SessionId,
    userId: row.user_id as string,
    createdAt: toDate(row.created_at),
    lastActivityAt: toDate(row.last_activity_at),
    idleTimeout: idleTimeout === null ? null : Number(idleTimeout),
    idleDeadline: idleDeadline === null ? null : toDate(idleDeadline),
    absoluteDeadline: toDate(row.absolute_deadline),
    metadata: parseMetadata(metadata as string | null),
  }
}

/**
 * Sessions in PostgreSQL, through a `Pool` of `pg` that stays the caller's to close. Every method rejects with
 * `GOSESH_ERR_STORE_UNAVAILABLE` where the server cannot answer, and with `GOSESH_ERR_STORE_SCHEMA` before `migrate()`.
 */
export class PostgresStore
  implements SessionStore, ActivityRecorder, SessionLister, ExpiredSessionSweeper, AllSessionsDeleter
{
  readonly #pool: PostgresPool
  readonly #tables: TableNames
  readonly #statements: Statements
  readonly #runner: StatementRunner
  readonly #upsertUser: UpsertUser | undefined
  /** The block of the table at which the next sweep begins. */
  #sweepFrom = 0

  /** Throws `GOSESH_ERR_OPTION` on a wrong option, or on what is no pool. */
  constructor(pool: PostgresPool, options: PostgresStoreOptions = {}) {
    // A `Client` has the same methods, but one connection, and perhaps a transaction of the application's on it.
    if (!hasMethods(pool, poolMethods) || !('totalCount' in pool)) {
      throw secretOptionError('pool', pool, 'a Pool of pg (with @fastify/postgres: app.pg.pool)')
    }
    const { schema, tablePrefix, upsertUser, preparedStatements } = checkObject(
      'PostgresStore',
      options,
      optionNames,
    ) as PostgresStoreOptions
    this.#pool = pool
    this.#tables = tableNames(schema, tablePrefix ?? 'gosesh_')
    this.#statements = statements(this.#tables)
    this.#runner = new StatementRunner(pool, checkBoolean('preparedStatements', preparedStatements ?? true))
    this.#upsertUser = checkUpsertUser(upsertUser)
    // A pool that nobody listens to ends the process when the server drops an idle connection of it.
    if (pool.listenerCount('error') === 0) pool.on('error', () => {})
  }

  /**
   * Makes the tables, or brings them to this version. Safe to call at every start, by several processes at once.
   * Rejects with `GOSESH_ERR_STORE_SCHEMA` where such a table exists that it did not make.
   */
  async migrate(): Promise<void> {
    await migratePostgres(this.#pool, this.#tables, this.#upsertUser === undefined)
  }

  /** With the option `upsertUser`, rejects with what that rejects with. */
  async upsertUser(authProviderId: string): Promise<string> {
    if (this.#upsertUser !== undefined) return this.#upsertUser(authProviderId)
    const id = userIdOf(authProviderId)
    await this.#runner.run(this.#statements.upsertUser, [id, authProviderId])
    return id
  }

  /** Rejects with `GOSESH_ERR_SESSION_EXISTS` where the id exists. */
  async createSession(session: Session): Promise<void> {
    const { rowCount } = await this.#runner.run(this.#statements.createSession, [
      session.id,
      session.userId,
      session.createdAt.toISOString(),
      session.lastActivityAt.toISOString(),
      session.absoluteDeadline.toISOString(),
      session.idleDeadline?.toISOString(),
      session.idleTimeout,
      session.metadata === null ? null : JSON.stringify(session.metadata),
    ])
    if (rowCount === 0) throw new GoseshError('GOSESH_ERR_SESSION_EXISTS')
  }

  async getSession(id: SessionId): Promise<Session | null> {
    const { rows } = await this.#runner.run(this.#statements.getSession, [id])
    return rows[0] === undefined ? null : toSession(rows[0])
  }

  async extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    const { found } = await this.#runner.one(this.#statements.extendSession, [
      id,
      to.lastActivityAt.toISOString(),
      to.idleDeadline?.toISOString(),
    ])
    return found === 'true'
  }

  async deleteSession(id: SessionId): Promise<boolean> {
    const { rowCount } = await this.#runner.run(this.#statements.deleteSession, [id])
    return rowCount === 1
  }

  async deleteUserSessions(
    userId: string,
    options: { except?: SessionId | undefined } = {},
  ): Promise<number> {
    const { rowCount } = await this.#runner.run(this.#statements.deleteUserSessions, [userId, options.except])
    return Number(rowCount)
  }

  /** The server confirms the batch before it is on its disk: a crash of the server may lose the last second of it. */
  async batchRecordActivity(updates: ReadonlyMap<SessionId, Date>): Promise<number> {
    if (updates.size === 0) return 0
    const times = Array.from(updates.values(), (at) => at.toISOString())
    const { moved } = await this.#runner.one(this.#statements.recordActivity, [[...updates.keys()], times])
    return Number(moved)
  }

  async listUserSessions(userId: string): Promise<Session[]> {
    const { rows } = await this.#runner.run(this.#statements.listUserSessions, [userId])
    return rows.map(toSession)
  }

  /** Goes through the table in bounded steps, from where the last call stopped and at most once around. */
  async deleteExpiredSessions(before: Date, limit: number): Promise<number> {
    const start = this.#sweepFrom
    let from = start
    let wrapped = start === 0
    let deleted = 0
    for (;;) {
      const step = await this.#sweep(from, before, limit - deleted)
      deleted += step.deleted
      if (deleted >= limit) return deleted
      from += sweepBlocks
      const atEnd = from >= step.blocks
      if (atEnd) from = 0
      this.#sweepFrom = from
      if (wrapped && (atEnd || (start > 0 && from >= start))) return deleted
      wrapped ||= atEnd
    }
  }

  /** Deletes page by page, so that nothing has to wait for all of it; sessions that begin meanwhile may stay. */
  async deleteAllSessions(): Promise<number> {
    let deleted = 0
    let from: string | null = ''
    while (from !== null) {
      const page: TextRow = await this.#runner.one(this.#statements.deletePage, [from, deletePageSize])
      deleted += Number(page.deleted)
      from = page.last ?? null
    }
    return deleted
  }

  async #sweep(from: number, before: Date, limit: number): Promise<{ deleted: number; blocks: number }> {
    const { deleted, blocks } = await this.#runner.one(this.#statements.sweepBlocks, [
      `(${from},0)`,
      `(${from + sweepBlocks},0)`,
      before.toISOString(),
      limit,
    ])
    return { deleted: Number(deleted), blocks: Number(blocks) }
  }
}
