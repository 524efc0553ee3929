import type {
  DeviceCode,
  DeviceCodeDecision,
  DeviceCodeId,
  DeviceCodeStore,
  DevicePoll,
  UserCodeId,
} from '../../../types/device-code.js'
import type { SessionId } from '../../../types/session.js'
import { parseMetadata } from '../shared/metadata.js'
import type { SqliteConnection } from './connection.js'

/** A row of the device codes; integers are `bigint` if the application told the driver so. */
interface DeviceCodeRow {
  readonly id: string
  readonly user_code_id: string
  readonly created_at: number | bigint
  readonly expires_at: number | bigint
  readonly poll_interval: number | bigint
  readonly last_polled_at: number | bigint | null
  readonly status: DeviceCode['status']
  readonly user_id: string | null
  readonly session_id: string | null
  readonly metadata: string | null
}

function toDeviceCode(row: unknown): DeviceCode | null {
  if (row === undefined) return null
  const stored = row as DeviceCodeRow
  return {
    id: stored.id as DeviceCodeId,
    userCodeId: stored.user_code_id as UserCodeId,
    createdAt: new Date(Number(stored.created_at)),
    expiresAt: new Date(Number(stored.expires_at)),
    interval: Number(stored.poll_interval),
    lastPolledAt: stored.last_polled_at === null ? null : new Date(Number(stored.last_polled_at)),
    status: stored.status,
    userId: stored.user_id,
    sessionId: stored.session_id as SessionId | null,
    metadata: parseMetadata(stored.metadata),
  }
}

const columns =
  'id, user_code_id, created_at, expires_at, poll_interval, last_polled_at, status, user_id, session_id, metadata'

interface DeviceCodeStatements {
  readonly create: string
  readonly get: string
  readonly find: string
  readonly recordPoll: string
  readonly decide: string
  readonly consume: string
  readonly deleteExpired: string
  readonly deleteOfUser: string
}

function deviceCodeStatements(prefix: string): DeviceCodeStatements {
  const codes = `${prefix}device_codes`
  const byEnd = `${codes} INDEXED BY ${codes}_expires_at`
  return {
    create: `INSERT INTO ${codes} (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    get: `SELECT ${columns} FROM ${codes} WHERE id = ?`,
    find: `SELECT ${columns} FROM ${codes} WHERE user_code_id = ?`,
    recordPoll: `
      UPDATE ${codes}
      SET last_polled_at = max(ifnull(last_polled_at, 0), ?), poll_interval = max(poll_interval, ?)
      WHERE id = ?`,
    decide: `UPDATE ${codes} SET status = ?, user_id = ?, session_id = ? WHERE user_code_id = ? AND status = 'pending'`,
    consume: `DELETE FROM ${codes} WHERE id = ? RETURNING ${columns}`,
    deleteOfUser: `DELETE FROM ${codes} INDEXED BY ${codes}_user_id WHERE user_id = ?`,
    deleteExpired: `
      DELETE FROM ${codes}
      WHERE id IN (SELECT id FROM ${byEnd} WHERE expires_at < ? ORDER BY expires_at LIMIT ?)`,
  }
}

/** Devices that wait for their users. */
export class SqliteDeviceCodes implements DeviceCodeStore {
  readonly #connection: SqliteConnection
  readonly #sql: DeviceCodeStatements

  constructor(connection: SqliteConnection, tablePrefix: string) {
    this.#connection = connection
    this.#sql = deviceCodeStatements(tablePrefix)
  }

  async createDeviceCode(code: DeviceCode): Promise<boolean> {
    const created = this.#connection.run(
      this.#sql.create,
      code.id,
      code.userCodeId,
      code.createdAt.getTime(),
      code.expiresAt.getTime(),
      code.interval,
      code.lastPolledAt?.getTime() ?? null,
      code.status,
      code.userId,
      code.sessionId,
      code.metadata === null ? null : JSON.stringify(code.metadata),
    )
    return created === 1
  }

  async getDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    return toDeviceCode(this.#connection.get(this.#sql.get, id))
  }

  async findDeviceCode(userCodeId: UserCodeId): Promise<DeviceCode | null> {
    return toDeviceCode(this.#connection.get(this.#sql.find, userCodeId))
  }

  async recordDevicePoll(id: DeviceCodeId, { interval, lastPolledAt }: DevicePoll): Promise<boolean> {
    return this.#connection.run(this.#sql.recordPoll, lastPolledAt.getTime(), interval, id) === 1
  }

  async decideDeviceCode(
    userCodeId: UserCodeId,
    { userId, sessionId }: DeviceCodeDecision,
  ): Promise<boolean> {
    const status: DeviceCode['status'] = userId === null ? 'denied' : 'approved'
    return this.#connection.run(this.#sql.decide, status, userId, sessionId, userCodeId) === 1
  }

  async consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    const [row] = this.#connection.returning(this.#sql.consume, id)
    return toDeviceCode(row)
  }

  async deleteExpiredDeviceCodes(before: Date, limit: number): Promise<number> {
    return this.#connection.run(this.#sql.deleteExpired, before.getTime(), limit)
  }

  /** How many codes of this user it deleted. */
  deleteOfUser(userId: string): number {
    return this.#connection.run(this.#sql.deleteOfUser, userId)
  }
}
