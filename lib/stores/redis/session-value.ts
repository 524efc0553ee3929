import type { Session, SessionId } from '../../../types/session.js'
import { GoseshError } from '../../errors.js'

/**
 * A session as Redis keeps it: one string, so that a read is one GET. Five numbers of fixed width come first, the two
 * that move in front, so that a script changes them in place and never touches the rest:
 *
 *     lastActivityAt idleDeadline idleTimeout absoluteDeadline createdAt {"userId":…,"metadata":…}
 */
const width = 16
const none = '-'.repeat(width)
const shape = /^([\d-]{16}) ([\d-]{16}) ([\d-]{16}) ([\d-]{16}) ([\d-]{16}) (\{.*\})$/s

/** Milliseconds; all dashes stand for `null`. */
function encodeNumber(value: number | null): string {
  if (value === null) return none
  const digits = String(Math.abs(value))
  return value < 0 ? `-${digits.padStart(width - 1, '0')}` : digits.padStart(width, '0')
}

export function encodeSession(session: Session): string {
  const { userId, metadata } = session
  return [
    encodeNumber(session.lastActivityAt.getTime()),
    encodeNumber(session.idleDeadline?.getTime() ?? null),
    encodeNumber(session.idleTimeout),
    encodeNumber(session.absoluteDeadline.getTime()),
    encodeNumber(session.createdAt.getTime()),
    JSON.stringify(metadata === null ? { userId } : { userId, metadata }),
  ].join(' ')
}

/** What is no session is a failure of the store: never a session, and never absence, which would sign somebody out. */
function unreadable(): GoseshError {
  return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
    message: 'The session store is unavailable (a stored session is not readable)',
  })
}

function decodeDate(digits: string): Date {
  const date = new Date(Number(digits))
  if (Number.isNaN(date.getTime())) throw unreadable()
  return date
}

function decodeFacts(json: string): Pick<Session, 'userId' | 'metadata'> {
  const { userId, metadata = null } = parseObject(json)
  if (typeof userId !== 'string' || userId === '' || typeof metadata !== 'object') throw unreadable()
  if (metadata === null) return { userId, metadata }
  if (Object.values(metadata).some((value) => typeof value !== 'string')) throw unreadable()
  return { userId, metadata: metadata as Record<string, string> }
}

function parseObject(json: string): Record<string, unknown> {
  try {
    return JSON.parse(json)
  } catch {
    // Not as a cause: its message quotes the value.
    throw unreadable()
  }
}

/** The session that Redis answered with, or `null` where it has none. Throws `GOSESH_ERR_STORE_UNAVAILABLE`. */
export function decodeSession(id: SessionId, value: unknown): Session | null {
  if (value === null) return null
  const fields = typeof value === 'string' ? shape.exec(value) : null
  if (fields === null) throw unreadable()
  const [, lastActivityAt, idleDeadline, idleTimeout, absoluteDeadline, createdAt, facts] =
    fields as unknown as [string, string, string, string, string, string, string]
  if ((idleDeadline === none) !== (idleTimeout === none)) throw unreadable()
  return {
    id,
    ...decodeFacts(facts),
    createdAt: decodeDate(createdAt),
    lastActivityAt: decodeDate(lastActivityAt),
    idleTimeout: idleTimeout === none ? null : decodeDate(idleTimeout).getTime(),
    idleDeadline: idleDeadline === none ? null : decodeDate(idleDeadline),
    absoluteDeadline: decodeDate(absoluteDeadline),
  }
}
