import type { ClearSiteDataType, SessionLimitOptions } from './options.js'

/** What is in force: every option with its default filled in, as plain data that can be logged or printed as JSON. */
export interface EffectivePolicy {
  /** In the order in which they are tried. Durations are milliseconds. */
  readonly credentials: readonly {
    readonly name: string
    readonly header: string
    readonly ambient: boolean
    readonly idleTimeout: number | null
    readonly absoluteTimeout: number
  }[]
  readonly activityTracking: {
    readonly flushInterval: number
    readonly flushTimeout: number
    readonly maxBatchSize: number
    readonly maxPending: number
  } | null
  /** `null`: each request reads the store. */
  readonly sessionCache: {
    readonly maxStaleness: number
    readonly pollInterval: number
    readonly maxSessions: number
    readonly maxEntryAge: number
  } | null
  readonly refreshInterval: number
  readonly storeTimeout: number
  readonly maxPendingStoreCalls: number
  /** `null`: expired sessions are not swept, or vanish from the store by themselves; and until the store is known. */
  readonly sweepInterval: number | null
  readonly crossOriginProtection: boolean
  readonly trustedOrigins: readonly string[]
  readonly maxSessionsPerUser: Required<SessionLimitOptions> | null
  /** As ISO 8601; `null`: no session is refused. */
  readonly notBefore: string | null
  /** `null`: no more than each session's own absolute timeout. */
  readonly maxAge: number | null
  readonly clearSiteData: readonly ClearSiteDataType[]
  /** `null`: visitors keep no data. */
  readonly visitors: { readonly idleTimeout: number; readonly cookieName: string } | null
  readonly data: { readonly maxValueLength: number; readonly maxKeys: number }
  /** `null`: sessions are not bound to devices. */
  readonly deviceBinding: {
    readonly lifetime: number
    readonly path: string
    readonly allowedRefreshInitiators: readonly string[]
  } | null
  readonly decorateAs: string
  readonly bindSessionToLog: boolean
  readonly requireByDefault: boolean
}
