import type { SessionId } from '../../../types/session.js'
import type { SessionChanges, SessionRecord } from '../../../types/store.js'
import { checkMetadata } from '../shared/metadata.js'
import { unreadable } from '../shared/unreadable.js'

/**
 * A session as Redis keeps it: one string, so that a read is one GET. The head is four numbers of fixed width, those
 * that activity moves in front, and a mark that says if there is a hash of data beside it (`d`, or `-`). So a script
 * changes them in place and never touches the rest:
 *
 *     lastActivityAt idleDeadline idleTimeout absoluteDeadline mark
 *
 * Then the tail, which only `updateSession` writes anew: numbers as they are, the hash, and JSON.
 *
 *     version flags createdAt authenticatedAt absoluteTimeout secretHash {"userId":…,"metadata":…,"details":…}
 */
const width = 16
const none = '-'.repeat(width)
/** The flags are a sum of these. */
const persistentFlag = 1
const deviceBoundFlag = 2
/** The mark of a session with data, and without. */
const withData = 'd'
const withoutData = '-'
const space = ' '.charCodeAt(0)
const minus = '-'.charCodeAt(0)
const zero = '0'.charCodeAt(0)

/** Milliseconds, of 16 characters; all dashes stand for `null`. */
export function encodeNumber(value: number | null): string {
  if (value === null) return none
  const digits = String(Math.abs(value))
  return value < 0 ? `-${digits.padStart(width - 1, '0')}` : digits.padStart(width, '0')
}

export function encodeSession(record: SessionRecord, hasData = false): string {
  return [
    encodeNumber(record.lastActivityAt.getTime()),
    encodeNumber(record.idleDeadline?.getTime() ?? null),
    encodeNumber(record.idleTimeout),
    encodeNumber(record.absoluteDeadline.getTime()),
    hasData ? withData : withoutData,
    encodeTail(record),
  ].join(' ')
}

/** All that activity leaves alone. */
export function encodeTail(record: SessionRecord): string {
  const { userId, metadata, details } = record
  const flags = (record.persistent ? persistentFlag : 0) + (record.deviceBound ? deviceBoundFlag : 0)
  return [
    record.version,
    flags,
    record.createdAt.getTime(),
    record.authenticatedAt.getTime(),
    record.absoluteTimeout,
    record.secretHash,
    JSON.stringify({ userId, ...(metadata !== null && { metadata }), ...(details !== null && { details }) }),
  ].join(' ')
}

/** The session after the changes; how its deadlines move is decided where they are. */
export function withChanges(record: SessionRecord, changes: SessionChanges): SessionRecord {
  const { secretHash, authenticatedAt, deviceBound, metadata, details, absoluteDeadline } = changes
  return {
    ...record,
    version: record.version + 1,
    secretHash: secretHash ?? record.secretHash,
    authenticatedAt: authenticatedAt ?? record.authenticatedAt,
    deviceBound: deviceBound ?? record.deviceBound,
    metadata: metadata === undefined ? record.metadata : metadata,
    details: details === undefined ? record.details : details,
    absoluteDeadline: new Date(Math.max(Number(record.absoluteDeadline), Number(absoluteDeadline ?? 0))),
  }
}

/** Reads a value from front to back, digit by digit, without a string for each number: every request passes here. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** The number of fixed width and its space: `null` if there are dashes, `NaN` if there is neither. */
  fixed(): number | null {
    const start = this.#at
    if (this.#text.charCodeAt(start + width) !== space) return Number.NaN
    const number = this.number()
    if (!Number.isNaN(number)) return this.#at === start + width + 1 ? number : Number.NaN
    this.#at = start + width + 1
    return this.#text.startsWith(none, start) ? null : Number.NaN
  }

  /** The number up to the next space, and that space; `NaN` if there is none. */
  number(): number {
    const text = this.#text
    const negative = text.charCodeAt(this.#at) === minus
    let at = negative ? this.#at + 1 : this.#at
    const start = at
    let number = 0
    for (let code = text.charCodeAt(at); code !== space; code = text.charCodeAt(++at)) {
      const digit = code - zero
      if (!(digit >= 0 && digit <= 9)) return Number.NaN
      number = number * 10 + digit
    }
    if (at === start) return Number.NaN
    this.#at = at + 1
    return negative ? -number : number
  }

  /** The text up to the next space, and that space; all that is left without one. */
  word(): string {
    const end = this.#text.indexOf(' ', this.#at)
    const word = this.#text.slice(this.#at, end === -1 ? undefined : end)
    this.#at = end === -1 ? this.#text.length : end + 1
    return word
  }

  rest(): string {
    return this.#text.slice(this.#at)
  }
}

function decodeDate(time: number | null): Date {
  const date = new Date(time ?? Number.NaN)
  if (Number.isNaN(date.getTime())) throw unreadable('session')
  return date
}

function decodeFacts(json: string): Pick<SessionRecord, 'userId' | 'metadata' | 'details'> {
  const { userId, metadata = null, details = null } = parseObject(json)
  if (userId !== null && (typeof userId !== 'string' || userId === '')) throw unreadable('session')
  if (details !== null && typeof details !== 'string') throw unreadable('session')
  return { userId, metadata: metadata === null ? null : checkMetadata(metadata), details }
}

function parseObject(json: string): Record<string, unknown> {
  try {
    return JSON.parse(json)
  } catch {
    throw unreadable('session')
  }
}

/** The session that Redis answered with, or `null` if it has none. Throws `GOSESH_ERR_STORE_UNAVAILABLE`. */
export function decodeSession(id: SessionId, value: unknown): SessionRecord | null {
  if (value === null) return null
  if (typeof value !== 'string') throw unreadable('session')
  const reader = new Reader(value)
  const lastActivityAt = reader.fixed()
  const idleDeadline = reader.fixed()
  const idleTimeout = reader.fixed()
  const absoluteDeadline = reader.fixed()
  reader.word()
  const version = reader.number()
  const flags = reader.number()
  const createdAt = reader.number()
  const authenticatedAt = reader.number()
  const absoluteTimeout = reader.number()
  const secretHash = reader.word()
  // A session has both or neither of the first two.
  if (
    (idleTimeout === null) !== (idleDeadline === null) ||
    Number.isNaN(idleTimeout) ||
    Number.isNaN(version + flags + absoluteTimeout) ||
    secretHash === ''
  ) {
    throw unreadable('session')
  }
  return {
    id,
    secretHash,
    version,
    ...decodeFacts(reader.rest()),
    createdAt: decodeDate(createdAt),
    lastActivityAt: decodeDate(lastActivityAt),
    authenticatedAt: decodeDate(authenticatedAt),
    idleTimeout,
    idleDeadline: idleDeadline === null ? null : decodeDate(idleDeadline),
    absoluteTimeout,
    absoluteDeadline: decodeDate(absoluteDeadline),
    persistent: (flags & persistentFlag) !== 0,
    deviceBound: (flags & deviceBoundFlag) !== 0,
  }
}

/** The session, or `null` also for what is none: nobody is signed in by it. */
export function readableSession(id: SessionId, value: unknown): SessionRecord | null {
  try {
    return decodeSession(id, value)
  } catch {
    return null
  }
}
