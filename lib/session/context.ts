import type { ActivityTracker } from '../../types/activity.js'
import type { Clock, Logger, SessionLimitOptions } from '../../types/options.js'
import type { SessionLifetime } from '../../types/session.js'
import type { SessionCacheStats } from '../../types/session-cache.js'
import type { PendingActivity } from '../core/pending-activity.js'
import type { BoundedStore } from './bounded-store.js'

/** What sessions are handled with; built once the store is known. Times and durations are milliseconds. */
export interface Context {
  readonly store: BoundedStore
  readonly clock: Clock
  readonly log: Logger
  /** `null` if tracking is off, and until `onReady`. */
  readonly tracking: Tracking | null
  /** The lifetimes of a session that is created without any. */
  readonly defaultLifetime: SessionLifetime
  readonly refreshInterval: number
  /** Sessions created before are refused. `-Infinity`: none is. */
  readonly notBefore: number
  /** From its sign-in a session lives no longer than this; `Infinity`: its own deadline decides. */
  readonly maxAge: number
  readonly maxSessionsPerUser: Required<SessionLimitOptions> | null
}

export interface Tracking {
  readonly pending: PendingActivity
  /** Activity recorded now is in the store after this time for certain, unless the store is down. */
  readonly margin: number
}

/** The context changes once, in `onReady`, so it is asked for at each use. */
export interface ContextSource {
  /** Throws `GOSESH_ERR_NOT_READY` until the store is known. */
  readonly context: Context
  /** `null` if tracking is off, and until `onReady`. */
  readonly activityTracker: ActivityTracker | null
  /** `null` without the option `sessionCache`. */
  readonly cacheStats: SessionCacheStats | null
}
