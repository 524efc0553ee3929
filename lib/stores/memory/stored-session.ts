import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { SessionChanges, SessionRecord } from '../../../types/store.js'

/** A session as it is kept: times as numbers, so that nothing handed out can change it. */
export interface StoredSession {
  readonly userId: string | null
  readonly createdAt: number
  readonly idleTimeout: number | null
  readonly absoluteTimeout: number
  readonly persistent: boolean
  secretHash: string
  version: number
  lastActivityAt: number
  authenticatedAt: number
  idleDeadline: number | null
  absoluteDeadline: number
  deviceBound: boolean
  metadata: SessionMetadata | null
  details: string | null
  /** What the application keeps with the session; `null` until there is something. */
  data: Map<string, string> | null
}

export function toStored(record: SessionRecord): StoredSession {
  return {
    userId: record.userId,
    createdAt: record.createdAt.getTime(),
    idleTimeout: record.idleTimeout,
    absoluteTimeout: record.absoluteTimeout,
    persistent: record.persistent,
    secretHash: record.secretHash,
    version: record.version,
    lastActivityAt: record.lastActivityAt.getTime(),
    authenticatedAt: record.authenticatedAt.getTime(),
    idleDeadline: record.idleDeadline?.getTime() ?? null,
    absoluteDeadline: record.absoluteDeadline.getTime(),
    deviceBound: record.deviceBound,
    metadata: copyOf(record.metadata),
    details: record.details,
    data: null,
  }
}

export function toRecord(id: SessionId, stored: StoredSession): SessionRecord {
  return {
    id,
    secretHash: stored.secretHash,
    version: stored.version,
    userId: stored.userId,
    createdAt: new Date(stored.createdAt),
    lastActivityAt: new Date(stored.lastActivityAt),
    authenticatedAt: new Date(stored.authenticatedAt),
    idleTimeout: stored.idleTimeout,
    idleDeadline: stored.idleDeadline === null ? null : new Date(stored.idleDeadline),
    absoluteTimeout: stored.absoluteTimeout,
    absoluteDeadline: new Date(stored.absoluteDeadline),
    persistent: stored.persistent,
    deviceBound: stored.deviceBound,
    metadata: stored.metadata,
    details: stored.details,
  }
}

export function copyOf(metadata: SessionMetadata | null): SessionMetadata | null {
  return metadata === null ? null : Object.freeze({ ...metadata })
}

/** When the session ends. */
export function deadlineOf(stored: StoredSession): number {
  return Math.min(stored.idleDeadline ?? Number.POSITIVE_INFINITY, stored.absoluteDeadline)
}

/** Makes every change but that of the metadata. */
export function change(stored: StoredSession, changes: SessionChanges): void {
  const { absoluteDeadline, idleDeadline } = stored
  stored.version++
  stored.secretHash = changes.secretHash ?? stored.secretHash
  stored.authenticatedAt = changes.authenticatedAt?.getTime() ?? stored.authenticatedAt
  stored.deviceBound = changes.deviceBound ?? stored.deviceBound
  if (changes.details !== undefined) stored.details = changes.details
  stored.absoluteDeadline = Math.max(
    absoluteDeadline,
    changes.absoluteDeadline?.getTime() ?? absoluteDeadline,
  )
  if (idleDeadline === null) return
  const given = changes.idleDeadline?.getTime() ?? idleDeadline
  stored.idleDeadline = Math.min(stored.absoluteDeadline, Math.max(idleDeadline, given))
}
