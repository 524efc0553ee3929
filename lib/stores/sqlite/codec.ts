import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { SessionChanges, SessionRecord } from '../../../types/store.js'
import { parseMetadata } from '../shared/metadata.js'
import type { SqliteValue } from './database.js'

/** A row of the sessions; integers are `bigint` if the application told the driver so. */
export interface SessionRow {
  readonly id: string
  readonly secret_hash: string
  readonly version: number | bigint
  readonly user_id: string | null
  readonly created_at: number | bigint
  readonly last_activity_at: number | bigint
  readonly authenticated_at: number | bigint
  readonly idle_timeout: number | bigint | null
  readonly idle_deadline: number | bigint | null
  readonly absolute_timeout: number | bigint
  readonly absolute_deadline: number | bigint
  readonly persistent: number | bigint
  readonly device_bound: number | bigint
  readonly metadata: string | null
  readonly details: string | null
}

export function toRecord(row: SessionRow): SessionRecord {
  return {
    id: row.id as SessionId,
    secretHash: row.secret_hash,
    version: Number(row.version),
    userId: row.user_id,
    createdAt: new Date(Number(row.created_at)),
    lastActivityAt: new Date(Number(row.last_activity_at)),
    authenticatedAt: new Date(Number(row.authenticated_at)),
    idleTimeout: row.idle_timeout === null ? null : Number(row.idle_timeout),
    idleDeadline: row.idle_deadline === null ? null : new Date(Number(row.idle_deadline)),
    absoluteTimeout: Number(row.absolute_timeout),
    absoluteDeadline: new Date(Number(row.absolute_deadline)),
    persistent: Number(row.persistent) === 1,
    deviceBound: Number(row.device_bound) === 1,
    metadata: parseMetadata(row.metadata),
    details: row.details,
  }
}

/** What `createSession` binds. */
export function toValues(record: SessionRecord): SqliteValue[] {
  return [
    record.id,
    record.secretHash,
    record.version,
    record.userId,
    record.createdAt.getTime(),
    record.lastActivityAt.getTime(),
    record.authenticatedAt.getTime(),
    record.idleTimeout,
    record.idleDeadline?.getTime() ?? null,
    record.absoluteTimeout,
    record.absoluteDeadline.getTime(),
    Number(record.persistent),
    Number(record.deviceBound),
    jsonOf(record.metadata),
    record.details,
  ]
}

/** What `updateSession` binds before the id and the version. */
export function toChangeValues({ metadata, details, ...changes }: SessionChanges): SqliteValue[] {
  const absoluteDeadline = changes.absoluteDeadline?.getTime() ?? null
  return [
    changes.secretHash ?? null,
    changes.authenticatedAt?.getTime() ?? null,
    absoluteDeadline,
    // Again, for the idle deadline, which never lies past it.
    absoluteDeadline,
    changes.idleDeadline?.getTime() ?? null,
    changes.deviceBound === undefined ? null : Number(changes.deviceBound),
    Number(metadata !== undefined),
    jsonOf(metadata ?? null),
    Number(details !== undefined),
    details ?? null,
  ]
}

function jsonOf(metadata: SessionMetadata | null): string | null {
  return metadata === null ? null : JSON.stringify(metadata)
}
