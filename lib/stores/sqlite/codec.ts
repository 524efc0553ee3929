import type { Session, SessionId } from '../../../types/session.js'
import { parseMetadata } from '../shared/metadata.js'

/** A row of the sessions; integers are `bigint` if the application told the driver so. */
export interface SessionRow {
  readonly id: string
  readonly user_id: string
  readonly created_at: number | bigint
  readonly last_activity_at: number | bigint
  readonly idle_timeout: number | bigint | null
  readonly idle_deadline: number | bigint | null
  readonly absolute_deadline: number | bigint
  readonly metadata: string | null
}

export function toSession(row: SessionRow): Session {
  return {
    id: row.id as SessionId,
    userId: row.user_id,
    createdAt: new Date(Number(row.created_at)),
    lastActivityAt: new Date(Number(row.last_activity_at)),
    idleTimeout: row.idle_timeout === null ? null : Number(row.idle_timeout),
    idleDeadline: row.idle_deadline === null ? null : new Date(Number(row.idle_deadline)),
    absoluteDeadline: new Date(Number(row.absolute_deadline)),
    metadata: parseMetadata(row.metadata),
  }
}
