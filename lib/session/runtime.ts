import type { ActivityTracker } from '../../types/activity.js'
import type { Clock, Logger } from '../../types/options.js'
import type { SessionLifetime } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import type { PendingActivity } from '../core/pending-activity.js'
import type { StoreCalls } from './bounded-store.js'
import type { SessionEvents } from './events.js'
import type { SessionPolicy } from './policy.js'

/** What sessions are handled with. Some is known at registration; `onReady` fills in the rest. */
export interface Runtime {
  readonly clock: Clock
  readonly defaultLifetime: SessionLifetime
  readonly refreshInterval: number
  readonly policy: SessionPolicy
  readonly events: SessionEvents
  log: Logger
  /** `null` until the store is known. */
  calls: StoreCalls | null
  /** `null` if tracking is off, and until it is built. */
  tracking: {
    readonly tracker: ActivityTracker
    readonly pending: PendingActivity
    /** Milliseconds in which activity recorded now is in the store for certain, while the store answers. */
    readonly margin: number
  } | null
}

/** The error for a call while the store is not known. */
export function notReady(): GoseshError {
  return new GoseshError('GOSESH_ERR_NOT_READY')
}

/** The store's calls; throws `GOSESH_ERR_NOT_READY` while the store is not known. */
export function storeCalls(runtime: Runtime): StoreCalls {
  if (runtime.calls === null) throw notReady()
  return runtime.calls
}
