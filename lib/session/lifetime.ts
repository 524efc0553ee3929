import type { Session } from '../../types/session.js'
import type { SessionExtension, SessionRecord } from '../../types/store.js'
import { parseFactorsIn } from '../core/details.js'
import type { Context } from './context.js'

/** The times of a session on which it depends if it lives, in milliseconds; `Infinity`: it has no idle limit. */
interface Times {
  readonly lastActivityAt: number
  readonly idleDeadline: number
  readonly absoluteDeadline: number
}

/** The idle deadline of a session last active at `at`: never past its absolute deadline; `null` without a limit. */
export function idleDeadlineAt(at: number, idleTimeout: number | null, absoluteDeadline: Date): Date | null {
  return idleTimeout === null ? null : new Date(Math.min(at + idleTimeout, absoluteDeadline.getTime()))
}

/** The times with activity that the store does not know of yet, and as the option `maxAge` leaves them. */
function timesOf(record: SessionRecord, pending: number | undefined, maxAge: number): Times {
  const { idleTimeout } = record
  const latest = record.authenticatedAt.getTime() + maxAge
  const absoluteDeadline = Math.min(record.absoluteDeadline.getTime(), latest)
  let lastActivityAt = record.lastActivityAt.getTime()
  let idleDeadline = record.idleDeadline?.getTime() ?? Number.POSITIVE_INFINITY
  if (pending !== undefined && pending > lastActivityAt) {
    lastActivityAt = pending
    // A deadline that another node moved further stays.
    if (idleTimeout !== null) idleDeadline = Math.max(idleDeadline, pending + idleTimeout)
  }
  if (idleDeadline > absoluteDeadline && idleTimeout !== null) idleDeadline = absoluteDeadline
  return { lastActivityAt, idleDeadline, absoluteDeadline }
}

/**
 * The session of a record for the application, with its pending activity, as `notBefore` and `maxAge` leave it; `null`
 * if it has ended by `now`, or belongs to no user. It lives up to its deadlines and not a millisecond longer. It is frozen,
 * and shares nothing with the record: nothing that is done to it reaches the store's own, or another reader.
 */
export function liveSession(
  record: SessionRecord,
  pending: number | undefined,
  now: number,
  { notBefore, maxAge }: Pick<Context, 'notBefore' | 'maxAge'>,
): Session | null {
  const { id, userId, createdAt, authenticatedAt, idleTimeout, metadata, deviceBound } = record
  const times = timesOf(record, pending, maxAge)
  // A time that is none, of a record that somebody broke, must neither end a session nor keep it for ever.
  if (Number.isNaN(times.absoluteDeadline + times.idleDeadline))
    throw new RangeError('the record has no valid times')
  if (now >= times.absoluteDeadline || now >= times.idleDeadline) return null
  if (userId === null || createdAt.getTime() < notBefore) return null
  return Object.freeze({
    id,
    userId,
    createdAt,
    authenticatedAt,
    factors: parseFactorsIn(record.details),
    lastActivityAt: new Date(times.lastActivityAt),
    idleTimeout,
    idleDeadline: idleTimeout === null ? null : new Date(times.idleDeadline),
    absoluteDeadline: new Date(times.absoluteDeadline),
    metadata: metadata === null ? null : Object.freeze({ ...metadata }),
    deviceBound,
  })
}

/** The later of two activities, of which there may be none. */
export function laterOf(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a
}

/** The extension for activity at `at`, or `null` if the idle deadline would not move. */
function extensionTo(stored: SessionRecord, at: number): SessionExtension | null {
  const idleDeadline = idleDeadlineAt(at, stored.idleTimeout, stored.absoluteDeadline)
  // The stored deadline is null exactly if the idle timeout, and so the new deadline, is.
  if (idleDeadline === null || idleDeadline <= (stored.idleDeadline as Date)) return null
  return { idleDeadline, lastActivityAt: new Date(at) }
}

/**
 * With tracking on: the extension to make at once because the next flush, at most `margin` milliseconds away, might
 * come after the stored idle deadline; else `null`.
 */
export function extensionBeforeFlush(
  stored: SessionRecord,
  at: number,
  margin: number,
): SessionExtension | null {
  if (stored.idleDeadline === null || stored.idleDeadline.getTime() - at >= margin) return null
  return extensionTo(stored, at)
}

/**
 * With tracking off: the extension to make because the stored activity is older than `refreshInterval`, or than a
 * tenth of the idle timeout if that is less; else `null`.
 */
export function extensionOnRefresh(
  stored: SessionRecord,
  at: number,
  refreshInterval: number,
): SessionExtension | null {
  if (stored.idleTimeout === null) return null
  const interval = Math.min(refreshInterval, stored.idleTimeout / 10)
  return at - stored.lastActivityAt.getTime() > interval ? extensionTo(stored, at) : null
}
