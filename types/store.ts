import type { DeviceCodeStore } from './device-code.js'
import type { Session, SessionId, SessionMetadata } from './session.js'

/** The times to which `extendSession` moves a session, forward only. */
export interface SessionExtension {
  readonly idleDeadline: Date | null
  readonly lastActivityAt: Date
}

/**
 * What every store does. A store is passive: no clock, no timer, no policy; every time comes in as an argument.
 * Absence is a value (`null`, `false`); a rejection means that the store could not answer.
 */
export interface SessionStore {
  /** Finds or makes the user of an auth provider id. Idempotent, also under concurrency. */
  upsertUser(authProviderId: string): Promise<string>
  /** Inserts; rejects if the id exists, and never overwrites. */
  createSession(session: Session): Promise<void>
  /**
   * Returns the session, or `null` if it is absent. It may return an expired one. A store that has the answer at hand may
   * return it without a promise; the request then goes on in the same turn.
   */
  getSession(id: SessionId): Session | null | Promise<Session | null>
  /** Moves times forward on a session that exists. Resolves with true if it exists, moved or not. */
  extendSession(id: SessionId, to: SessionExtension): Promise<boolean>
  /** Resolves with false if there was no such session. */
  deleteSession(id: SessionId): Promise<boolean>
  /** Deletes every session of the user that was created before the call began. Resolves with their number. */
  deleteUserSessions(userId: string, options?: { readonly except?: SessionId | undefined }): Promise<number>
}

/** Capability that `activityTracking` needs. */
export interface ActivityRecorder {
  /**
   * Moves `lastActivityAt` of each session that exists forward to the given time, and with it the idle deadline to
   * `min(absoluteDeadline, time + idleTimeout)`. Unknown ids are ignored. Resolves with the number of
   * sessions that moved.
   */
  batchRecordActivity(updates: ReadonlyMap<SessionId, Date>): Promise<number>
}

/** Capability that `app.gosesh.listUserSessions` and `maxSessionsPerUser` need. */
export interface SessionLister {
  /** Every session of the user; it may include expired ones. */
  listUserSessions(userId: string): Promise<Session[]>
}

/** Capability that sweeping needs. A store whose sessions expire by themselves (Redis) lacks it. */
export interface ExpiredSessionSweeper {
  /** Deletes up to `limit` sessions whose deadline lies before `before`; fewer than `limit` means that it is done. */
  deleteExpiredSessions(before: Date, limit: number): Promise<number>
}

/** A store whose sessions expire by themselves. */
export interface SelfExpiring {
  /** Milliseconds for which a session is kept past its deadline. */
  readonly expiryGrace: number
}

/** Capability that `app.gosesh.deleteAllSessions` needs. */
export interface AllSessionsDeleter {
  /** Resolves with the number of sessions deleted. */
  deleteAllSessions(): Promise<number>
}

/** Capability that `app.gosesh.deleteSessionsByMetadata` and back-channel logout of `gosesh/oauth` need. */
export interface MetadataSessionsDeleter {
  /**
   * Deletes every session that was created before the call began and whose metadata holds all the given pairs. Resolves
   * with their ids, each to one caller only. No pairs match no session. Every store finds sessions by `oidc_sub`
   * and `oidc_sid` without reading all of them; one that cannot search by other keys rejects with `GOSESH_ERR_OPTION`.
   */
  deleteSessionsByMetadata(pairs: SessionMetadata): Promise<SessionId[]>
}

/** Capability of a store with tables, which start-up calls. */
export interface SchemaChecker {
  /**
   * Changes nothing, and resolves if everything is there that the store needs; newer tables will do. Rejects with
   * `GOSESH_ERR_STORE_SCHEMA` if tables are missing or older than the store, which fails start-up. With any other
   * rejection the application starts all the same.
   */
  checkSchema(): Promise<void>
}

/** Capability that device authorization of `gosesh/oauth` needs. */
export interface DeviceCodeProvider {
  readonly deviceCodes: DeviceCodeStore
}
