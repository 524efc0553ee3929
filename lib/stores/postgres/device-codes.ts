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
import { type Statement, type StatementRunner, statement, type TextRow } from './client.js'
import type { TableNames } from './tables.js'
import { epochOf, toDate } from './times.js'

interface DeviceCodeStatements {
  readonly create: Statement
  readonly get: Statement
  readonly find: Statement
  readonly recordPoll: Statement
  readonly decide: Statement
  readonly consume: Statement
  readonly deleteExpired: Statement
  readonly deleteOfUser: Statement
}

const columns = `
  id,
  user_code_id,
  ${epochOf('created_at')},
  ${epochOf('expires_at')},
  poll_interval::text AS poll_interval,
  ${epochOf('last_polled_at')},
  status,
  user_id,
  session_id,
  metadata::text AS metadata`

/** Every statement on device codes. Each is one change of one row, but the sweep, which waits for no lock. */
export function deviceCodeStatements({ deviceCodes }: TableNames): DeviceCodeStatements {
  return {
    create: statement(
      'create_device_code',
      `INSERT INTO ${deviceCodes} (
         id, user_code_id, created_at, expires_at, poll_interval, last_polled_at, status, user_id, session_id,
         metadata
       ) VALUES (
         $1::text, $2::text, $3::timestamptz, $4::timestamptz, $5::bigint, $6::timestamptz, $7::text, $8::text, $9::text,
         $10::json
       ) ON CONFLICT DO NOTHING`,
    ),

    get: statement('get_device_code', `SELECT ${columns} FROM ${deviceCodes} WHERE id = $1::text`),

    find: statement(
      'find_device_code',
      `SELECT ${columns} FROM ${deviceCodes} WHERE user_code_id = $1::text`,
    ),

    recordPoll: statement(
      'record_device_poll',
      `UPDATE ${deviceCodes}
       SET last_polled_at = greatest(last_polled_at, $2::timestamptz),
           poll_interval = greatest(poll_interval, $3::bigint)
       WHERE id = $1::text`,
    ),

    // Of two at once the second waits for the first, and then looks at the status again.
    decide: statement(
      'decide_device_code',
      `UPDATE ${deviceCodes} SET status = $2::text, user_id = $3::text, session_id = $4::text
       WHERE user_code_id = $1::text AND status = 'pending'`,
    ),

    consume: statement(
      'consume_device_code',
      `DELETE FROM ${deviceCodes} WHERE id = $1::text RETURNING ${columns}`,
    ),

    deleteOfUser: statement(
      'delete_device_codes_of_user',
      `DELETE FROM ${deviceCodes} WHERE user_id = $1::text`,
    ),

    deleteExpired: statement(
      'delete_expired_device_codes',
      `WITH doomed AS (
         SELECT id FROM ${deviceCodes} WHERE expires_at < $1::timestamptz
         ORDER BY expires_at LIMIT $2::bigint
         FOR UPDATE SKIP LOCKED
       )
       DELETE FROM ${deviceCodes} WHERE id = ANY (ARRAY(SELECT id FROM doomed))`,
    ),
  }
}

function toDeviceCode(row: TextRow | undefined): DeviceCode | null {
  if (row === undefined) return null
  const { last_polled_at: lastPolledAt } = row
  return {
    id: row.id as DeviceCodeId,
    userCodeId: row.user_code_id as UserCodeId,
    createdAt: toDate(row.created_at),
    expiresAt: toDate(row.expires_at),
    interval: Number(row.poll_interval),
    lastPolledAt: lastPolledAt === null ? null : toDate(lastPolledAt),
    status: row.status as DeviceCode['status'],
    userId: row.user_id as string | null,
    sessionId: row.session_id as SessionId | null,
    metadata: parseMetadata(row.metadata as string | null),
  }
}

/** Devices that wait for their users. */
export class PostgresDeviceCodes implements DeviceCodeStore {
  readonly #runner: StatementRunner
  readonly #statements: DeviceCodeStatements

  constructor(runner: StatementRunner, tables: TableNames) {
    this.#runner = runner
    this.#statements = deviceCodeStatements(tables)
  }

  /** Resolves with how many codes of this user it deleted. */
  async deleteOfUser(userId: string): Promise<number> {
    const { rowCount } = await this.#runner.run(this.#statements.deleteOfUser, [userId])
    return Number(rowCount)
  }

  createDeviceCode(code: DeviceCode): Promise<boolean> {
    return this.#changesOne(this.#statements.create, [
      code.id,
      code.userCodeId,
      code.createdAt.toISOString(),
      code.expiresAt.toISOString(),
      code.interval,
      code.lastPolledAt?.toISOString(),
      code.status,
      code.userId,
      code.sessionId,
      code.metadata === null ? null : JSON.stringify(code.metadata),
    ])
  }

  getDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    return this.#one(this.#statements.get, id)
  }

  findDeviceCode(userCodeId: UserCodeId): Promise<DeviceCode | null> {
    return this.#one(this.#statements.find, userCodeId)
  }

  recordDevicePoll(id: DeviceCodeId, { interval, lastPolledAt }: DevicePoll): Promise<boolean> {
    return this.#changesOne(this.#statements.recordPoll, [id, lastPolledAt.toISOString(), interval])
  }

  decideDeviceCode(userCodeId: UserCodeId, { userId, sessionId }: DeviceCodeDecision): Promise<boolean> {
    const status: DeviceCode['status'] = userId === null ? 'denied' : 'approved'
    return this.#changesOne(this.#statements.decide, [userCodeId, status, userId, sessionId])
  }

  consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    return this.#one(this.#statements.consume, id)
  }

  async deleteExpiredDeviceCodes(before: Date, limit: number): Promise<number> {
    const { rowCount } = await this.#runner.run(this.#statements.deleteExpired, [before.toISOString(), limit])
    return Number(rowCount)
  }

  async #one(given: Statement, id: string): Promise<DeviceCode | null> {
    const { rows } = await this.#runner.run(given, [id])
    return toDeviceCode(rows[0])
  }

  async #changesOne(given: Statement, values: unknown[]): Promise<boolean> {
    return (await this.#runner.run(given, values)).rowCount === 1
  }
}
