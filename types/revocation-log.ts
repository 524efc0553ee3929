import type { SessionId } from './session.js'

/** An end or a change of a session. */
export interface Revocation {
  readonly id: SessionId
  /** False if the session was changed by `updateSession` and lives on. */
  readonly ended: boolean
}

/** What has happened since a cursor. */
export interface Revocations {
  /** For the next call. */
  readonly cursor: string
  /** `null`: the log cannot tell what happened, so anything may have. */
  readonly entries: readonly Revocation[] | null
}

/** Capability that `sessionCache` needs. */
export interface RevocationLog {
  /**
   * Every end and change that was acknowledged before this call and after the call that gave `cursor`, by whichever process. An
   * entry may come twice. Visitors, sessions that a sweep removed, and activity are not logged. A cursor of `null` gives no
   * entries, only where to begin.
   */
  readRevocations(cursor: string | null): Promise<Revocations>
}
