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

/** The session as the policy leaves it, or `null` where it has ended by `now`. */
export function liveSession(
  session: Session,
  now: number,
  { notBefore, maxAge }: SessionPolicy,
): Session | null {
  if (session.createdAt.getTime() < notBefore) return null
  const limited = withMaxAge(session, maxAge)
  return isExpired(limited, now) ? null : limited
}
