import type { DeviceCodeStore } from './device-code.js'
import type { SessionId, SessionMetadata } from './session.js'

/** What a store keeps of a session. Times are to the millisecond. */
export interface SessionRecord {
  readonly id: SessionId
  /** SHA-256 of the secret, base64url: all that a store knows of it. */
  readonly secretHash: string
  /** 1 at creation, one more with each `updateSession`; activity leaves it alone. */
  readonly version: number
  /** `null`: a visitor, who belongs to no user and is in no list. */
  readonly userId: string | null
  readonly createdAt: Date
  readonly lastActivityAt: Date
  readonly authenticatedAt: Date
  /** Milliseconds; `null` exactly if the idle deadline is. */
  readonly idleTimeout: number | null
  readonly idleDeadline: Date | null
  /** Milliseconds. */
  readonly absoluteTimeout: number
  readonly absoluteDeadline: Date
  /** True if the cookie outlives the browser. */
  readonly persistent: boolean
  readonly deviceBound: boolean
  readonly metadata: SessionMetadata | null
  /** JSON that gosesh alone writes and reads; a store keeps it as text. */
  readonly details: string | null
}

/** What `updateSession` changes; a field that is missing or `undefined` stays as it is. */
export interface SessionChanges {
  readonly secretHash?: string | undefined
  readonly authenticatedAt?: Date | undefined
  readonly absoluteDeadline?: Date | undefined
  readonly idleDeadline?: Date | null | undefined
  readonly metadata?: SessionMetadata | null | undefined
  readonly deviceBound?: boolean | undefined
  readonly details?: string | null | undefined
}

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
  /**
   * Inserts; rejects if the id exists, and never overwrites. `data`, which only a `SessionDataStore` is given, is kept with the
   * session in the same step.
   */
  createSession(record: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void>
  /**
   * Returns the session, or `null` if it is absent. It may return an expired one: the caller checks the deadlines and the
   * secret. A store that has the answer at hand may
   * return it without a promise; the request then goes on in the same turn.
   */
  getSession(id: SessionId): SessionRecord | null | Promise<SessionRecord | null>
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
  listUserSessions(userId: string): Promise<SessionRecord[]>
}

/** Capability that `reply.reauthenticate` and `app.gosesh.updateMetadata` need. */
export interface SessionUpdater {
  /**
   * Changes the session if `version` is its own, in one step, and counts the version up. The absolute deadline moves forward
   * only; the idle deadline becomes the later of its own and the given one, never past the absolute deadline; activity stays.
   * Of several callers with one version exactly one is told `updated`, the others `conflict`. `absent` changes nothing.
   * What finds the session in a list, by its metadata or to delete it, finds it afterwards too.
   */
  updateSession(
    id: SessionId,
    version: number,
    changes: SessionChanges,
  ): Promise<'updated' | 'conflict' | 'absent'>
}

/** Capability that `app.gosesh.deleteUser` needs. */
export interface UserDeleter {
  /**
   * Forgets the user: what `upsertUser` keeps, and device codes that they approved. Their sessions were deleted before.
   * Resolves with false if there was nothing.
   */
  deleteUser(userId: string): Promise<boolean>
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
