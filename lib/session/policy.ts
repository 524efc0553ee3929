import type { SessionLimitOptions } from '../../types/options.js'
import type { Session } from '../../types/session.js'
import { isExpired, withMaxAge } from './lifetime.js'

/** What holds for every session beside its own lifetimes. */
export interface SessionPolicy {
  /** Sessions created before are refused. Milliseconds since the epoch; `-Infinity`: none is. */
  readonly notBefore: number
  /** Milliseconds after its sign-in at which a session ends at the latest; `Infinity`: its own deadline holds. */
  readonly maxAge: number
  readonly maxSessionsPerUser: Required<SessionLimitOptions> | null
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

/** The session as the policy leaves it, frozen, or `null` if it has ended by `now`. */
export function liveSession(
  session: Session,
  now: number,
  { notBefore, maxAge }: SessionPolicy,
): Session | null {
  if (session.createdAt.getTime() < notBefore) return null
  const limited = withMaxAge(session, maxAge)
  return isExpired(limited, now) ? null : frozenCopy(limited)
}
