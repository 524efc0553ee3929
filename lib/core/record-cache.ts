import type { SessionId } from '../../types/session.js'
import type { SessionRecord } from '../../types/store.js'

/** A record in memory, which shares no date with anybody. */
export interface CachedRecord {
  readonly record: SessionRecord
  /** The latest activity of this node, milliseconds since the epoch; `undefined`: none since it was read. */
  activeAt: number | undefined
}

/** A read that is under way. */
export interface RecordLoad {
  readonly id: SessionId
  readonly startedAt: number
}

/** What sessions need of the records in memory. */
export interface RecordCache {
  /** The record, if it may be used now: every session that ended up to `maxStaleness` ago is known to have ended. */
  get(id: SessionId): CachedRecord | null
  countHit(): void
  countMiss(): void
  /** Before the store is asked. */
  beginLoad(id: SessionId): RecordLoad
  /** Keeps the record, unless it may be out of date; `null`: there is none, so that nothing is kept of it. */
  endLoad(load: RecordLoad, record: SessionRecord | null): void
  /** The session has changed, or may have. */
  drop(id: SessionId): void
  /** The session has ended. Returns false if that is known already. */
  end(id: SessionId): boolean
  clear(): void
}
