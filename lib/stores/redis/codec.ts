import type { Session, SessionId } from '../../../types/session.js'
import { checkMetadata } from '../shared/metadata.js'
import { unreadable } from '../shared/unreadable.js'

/**
 * A session as Redis keeps it: one string, so that a read is one GET. Five numbers of fixed width come first, the two
 * that move in front, so that a script changes them in place and never touches the rest:
 *
 *     lastActivityAt idleDeadline idleTimeout absoluteDeadline createdAt {"userId":…,"metadata":…}
 */
const width = 16
const none = '-'.repeat(width)
/** Where the facts begin: after five numbers, each with a space. */
const factsAt = 5 * (width + 1)
const space = ' '.charCodeAt(0)
const minus = '-'.charCodeAt(0)
const zero = '0'.charCodeAt(0)

/** Milliseconds, of 16 characters; all dashes stand for `null`. */
export function encodeNumber(value: number | null): string {
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

/** The number at the place, `null` if there are dashes, and `NaN` if there is neither, with its space. */
function numberAt(value: string, place: number): number | null {
  const start = place * (width + 1)
  const end = start + width
  if (value.charCodeAt(end) !== space) return Number.NaN
  const negative = value.charCodeAt(start) === minus
  let number = 0
  // Digit by digit, without a string for each number: every request passes here.
  for (let i = negative ? start + 1 : start; i < end; i++) {
    const digit = value.charCodeAt(i) - zero
    if (!(digit >= 0 && digit <= 9)) return value.startsWith(none, start) ? null : Number.NaN
    number = number * 10 + digit
  }
  return negative ? -number : number
}

function decodeDate(time: number | null): Date {
  const date = new Date(time ?? Number.NaN)
  if (Number.isNaN(date.getTime())) throw unreadable('session')
  return date
}

function decodeFacts(json: string): Pick<Session, 'userId' | 'metadata'> {
  const { userId, metadata = null } = parseObject(json)
  if (typeof userId !== 'string' || userId === '') throw unreadable('session')
  return { userId, metadata: metadata === null ? null : checkMetadata(metadata) }
}

function parseObject(json: string): Record<string, unknown> {
  try {
    return JSON.parse(json)
  } catch {
    throw unreadable('session')
  }
}

/** The session that Redis answered with, or `null` if it has none. Throws `GOSESH_ERR_STORE_UNAVAILABLE`. */
export function decodeSession(id: SessionId, value: unknown): Session | null {
  if (value === null) return null
  if (typeof value !== 'string') throw unreadable('session')
  const idleDeadline = numberAt(value, 1)
  const idleTimeout = numberAt(value, 2)
  // A session has both or neither.
  if (Number.isNaN(idleTimeout) || (idleTimeout === null) !== (idleDeadline === null))
    throw unreadable('session')
  const { userId, metadata } = decodeFacts(value.slice(factsAt))
  return {
    id,
    userId,
    createdAt: decodeDate(numberAt(value, 4)),
    lastActivityAt: decodeDate(numberAt(value, 0)),
    idleTimeout,
    idleDeadline: idleDeadline === null ? null : decodeDate(idleDeadline),
    absoluteDeadline: decodeDate(numberAt(value, 3)),
    metadata,
  }
}
