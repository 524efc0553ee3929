import type { SessionId } from './session.js'

/** Counts since the tracker was built. */
export interface ActivityStats {
  /** Activity taken in. Several records of one session before a flush are written as one. */
  readonly recorded: number
  /** Pending sessions that a flush has written. */
  readonly flushed: number
  /** Records refused because `maxPending` sessions were pending already, or because the app had closed. */
  readonly dropped: number
  /** Batches that failed or timed out; each went back to pending. */
  readonly failedFlushes: number
  /** Pending sessions that the last flush, at shutdown, could not write. */
  readonly lost: number
}

/** `app.gosesh.activityTracker`: gathers activity in memory. Starting and stopping belong to the plugin. */
export interface ActivityTracker {
  /**
   * Records that the session was active, in memory: synchronous, no I/O. A time in the future counts as now.
   * Throws `GOSESH_ERR_ACTIVITY_TIME` on an invalid time and `GOSESH_ERR_SESSION_ID` on what is no session id.
   */
  recordActivity(sessionId: SessionId, at: Date): void
  /** Writes all that was recorded before the call. Rejects with the first `FlushError`. */
  flush(): Promise<void>
  /** Sessions whose activity is recorded and not yet in the store: waiting, or in a running flush. */
  readonly pendingCount: number
  readonly stats: ActivityStats
}
