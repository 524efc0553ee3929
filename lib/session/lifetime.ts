import type { Session } from '../../types/session.js'
import type { SessionExtension } from '../../types/store.js'
import type { Context } from './context.js'

/** The idle deadline of a session last active at `at`: never past its absolute deadline; `null` without a limit. */
export function idleDeadlineAt(at: number, idleTimeout: number | null, absoluteDeadline: Date): Date | null {
  return idleTimeout === null ? null : new Date(Math.min(at + idleTimeout, absoluteDeadline.getTime()))
}

/** True if the session has ended at `now`. It lives up to its deadlines and not a millisecond longer. */
export function isExpired(session: Session, now: number): boolean {
  if (now >= session.absoluteDeadline.getTime()) return true
  return session.idleDeadline !== null && now >= session.idleDeadline.getTime()
}

/** The session with activity that its store does not know of yet. */
export function withActivity(stored: Session, at: number | undefined): Session {
  if (at === undefined || at <= stored.lastActivityAt.getTime()) return stored
  const { id, userId, createdAt, idleTimeout, absoluteDeadline, metadata } = stored
  const idleDeadline = idleDeadlineAt(at, idleTimeout, absoluteDeadline)
  const lastActivityAt = new Date(at)
  return { id, userId, createdAt, lastActivityAt, idleTimeout, idleDeadline, absoluteDeadline, metadata }
}

/** The session with an absolute deadline at most `maxAge` milliseconds after its sign-in. */
function withMaxAge(session: Session, maxAge: number): Session {
  const latest = session.createdAt.getTime() + maxAge
  if (session.absoluteDeadline.getTime() <= latest) return session
  const absoluteDeadline = new Date(latest)
  const { idleDeadline } = session
  return {
    ...session,
    absoluteDeadline,
    idleDeadline: idleDeadline === null || idleDeadline.getTime() <= latest ? idleDeadline : absoluteDeadline,
  }
}

/** A frozen copy for the application: nothing that it does to a session reaches the store's own, or another reader. */
function frozenCopy(session: Session): Session {
  const { id, userId, createdAt, lastActivityAt, idleTimeout, idleDeadline, absoluteDeadline } = session
  const metadata = session.metadata === null ? null : Object.freeze({ ...session.metadata })
  return Object.freeze({
    id,
    userId,
    createdAt,
    lastActivityAt,
    idleTimeout,
    idleDeadline,
    absoluteDeadline,
    metadata,
  })
}

/** The session as `notBefore` and `maxAge` leave it, frozen, or `null` if it has ended by `now`. */
export function liveSession(
  session: Session,
  now: number,
  { notBefore, maxAge }: Pick<Context, 'notBefore' | 'maxAge'>,
): Session | null {
  if (session.createdAt.getTime() < notBefore) return null
  const limited = withMaxAge(session, maxAge)
  return isExpired(limited, now) ? null : frozenCopy(limited)
}

/** The extension for activity at `at`, or `null` if the idle deadline would not move. */
function extensionTo(stored: Session, at: number): SessionExtension | null {
  const idleDeadline = idleDeadlineAt(at, stored.idleTimeout, stored.absoluteDeadline)
  // The stored deadline is null exactly if the idle timeout, and so the new deadline, is.
  if (idleDeadline === null || idleDeadline <= (stored.idleDeadline as Date)) return null
  return { idleDeadline, lastActivityAt: new Date(at) }
}

/**
 * With tracking on: the extension to make at once because the next flush, at most `margin` milliseconds away, might
 * come after the stored idle deadline; else `null`.
 */
export function extensionBeforeFlush(stored: Session, at: number, margin: number): SessionExtension | null {
  if (stored.idleDeadline === null || stored.idleDeadline.getTime() - at >= margin) return null
  return extensionTo(stored, at)
}

/**
 * With tracking off: the extension to make because the stored activity is older than `refreshInterval`, or than a
 * tenth of the idle timeout if that is less; else `null`.
 */
export function extensionOnRefresh(
  stored: Session,
  at: number,
  refreshInterval: number,
): SessionExtension | null {
  if (stored.idleTimeout === null) return null
  const interval = Math.min(refreshInterval, stored.idleTimeout / 10)
  return at - stored.lastActivityAt.getTime() > interval ? extensionTo(stored, at) : null
}
