import type { SessionId } from '../../types/session.js'

/** Activity of one session that was found pending; the time moves while it waits for a flush. */
export interface PendingRecord {
  readonly at: number
}

/**
 * What the sessions' side of the plugin needs of the tracker. Times are milliseconds since the epoch. A `known` is what
 * `find` returned before: it saves a look-up, and keeps in mind what a flush has written since.
 */
export interface PendingActivity {
  find(id: SessionId): PendingRecord | undefined
  record(id: SessionId, at: number, known?: PendingRecord): void
  /** The latest activity that is not in the store yet, or was not when `known` was found. */
  latest(id: SessionId, known?: PendingRecord): number | undefined
  forget(id: SessionId): void
  /** All that is pending now; an id may be there twice. */
  pendingIds(): SessionId[]
}
