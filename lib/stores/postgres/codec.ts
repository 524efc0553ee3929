import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { SessionChanges, SessionRecord } from '../../../types/store.js'
import { parseMetadata } from '../shared/metadata.js'
import type { TextRow } from './client.js'
import { milliseconds, numbersIn } from './times.js'

const times = ['created_at', 'last_activity_at', 'authenticated_at', 'absolute_deadline', 'idle_deadline']
const numbers = ['idle_timeout', 'absolute_timeout', 'version', 'persistent::int', 'device_bound::int']

/** SQL for all that is a number in a session, in one column, with a space between: each column costs a read. */
const fixed = `concat(${[...times.map(milliseconds), ...numbers].join(", ' ', ")}) AS fixed`

/** What a statement selects for `toRecord`. */
export const sessionColumns = `${fixed}, secret_hash, user_id, metadata::text AS metadata, details`

type FixedNumbers = [
  createdAt: number,
  lastActivityAt: number,
  authenticatedAt: number,
  absoluteDeadline: number,
  idleDeadline: number,
  idleTimeout: number,
  absoluteTimeout: number,
  version: number,
  persistent: number,
  deviceBound: number,
]

/** The session of a row. */
export function toRecord(id: string, row: TextRow): SessionRecord {
  const [
    createdAt,
    lastActivityAt,
    authenticatedAt,
    absoluteDeadline,
    idleDeadline,
    idleTimeout,
    absoluteTimeout,
    version,
    persistent,
    deviceBound,
  ] = numbersIn(row.fixed as string) as FixedNumbers
  return {
    id: id as SessionId,
    secretHash: row.secret_hash as string,
    version,
    userId: row.user_id as string | null,
    createdAt: new Date(createdAt),
    lastActivityAt: new Date(lastActivityAt),
    authenticatedAt: new Date(authenticatedAt),
    idleTimeout: Number.isNaN(idleTimeout) ? null : idleTimeout,
    idleDeadline: Number.isNaN(idleDeadline) ? null : new Date(idleDeadline),
    absoluteTimeout,
    absoluteDeadline: new Date(absoluteDeadline),
    persistent: persistent === 1,
    deviceBound: deviceBound === 1,
    metadata: parseMetadata(row.metadata as string | null),
    details: row.details as string | null,
  }
}

/** What `createSession` binds. */
export function toValues(record: SessionRecord): unknown[] {
  return [
    record.id,
    record.userId,
    record.createdAt.toISOString(),
    record.lastActivityAt.toISOString(),
    record.absoluteDeadline.toISOString(),
    record.idleDeadline?.toISOString(),
    record.idleTimeout,
    jsonOf(record.metadata),
    record.secretHash,
    record.version,
    record.authenticatedAt.toISOString(),
    record.absoluteTimeout,
    record.persistent,
    record.deviceBound,
    record.details,
  ]
}

/** What `updateSession` binds after the id and the version. */
export function toChangeValues({ metadata, details, ...changes }: SessionChanges): unknown[] {
  return [
    changes.secretHash,
    changes.authenticatedAt?.toISOString(),
    changes.absoluteDeadline?.toISOString(),
    changes.idleDeadline?.toISOString(),
    changes.deviceBound,
    metadata !== undefined,
    jsonOf(metadata ?? null),
    details !== undefined,
    details,
  ]
}

function jsonOf(metadata: SessionMetadata | null): string | null {
  return metadata === null ? null : JSON.stringify(metadata)
}
