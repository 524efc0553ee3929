import type { SessionId } from '../../types/session.js'

/** What sessions need of the activity that is not in the store yet. Times are milliseconds since the epoch. */
export interface PendingActivity {
  record(id: SessionId, at: number): void
  /** The latest activity that is not in the store yet. */
  latest(id: SessionId): number | undefined
  forget(id: SessionId): void
  /** The pending sessions of this moment; an id may be there twice. */
  pendingIds(): SessionId[]
}
