import type { Session, SessionId } from '../../../types/session.js'
import { parseMetadata } from '../shared/metadata.js'
import type { TextRow } from './client.js'
import { toTimes } from './times.js'

/** The session of a row. */
export function toSession(id: string, { user_id: userId, times, metadata }: TextRow): Session {
  const { createdAt, lastActivityAt, idleTimeout, idleDeadline, absoluteDeadline } = toTimes(times as string)
  return {
    id: id as SessionId,
    userId: userId as string,
    createdAt,
    lastActivityAt,
    idleTimeout,
    idleDeadline,
    absoluteDeadline,
    metadata: parseMetadata(metadata as string | null),
  }
}
