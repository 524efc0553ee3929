import type { ActivityTracker } from './activity.js'
import type { SessionDataAccess } from './data.js'
import type { SessionEndListener } from './events.js'
import type {
  CreateSessionOptions,
  DeleteSessionOptions,
  DeleteUserSessionsOptions,
  MetadataPatch,
  ReauthenticateOptions,
  UpdateMetadataOptions,
  VerifyTokenOptions,
} from './options.js'
import type { EffectivePolicy } from './policy.js'
import type { Session, SessionIdInput, SessionMetadata, SessionToken, TokenInput } from './session.js'
import type { SessionCacheStats } from './session-cache.js'
import type { SessionStore } from './store.js'

/**
 * `app.gosesh`: sessions apart from a reply. Every method rejects with `GOSESH_ERR_STORE_UNAVAILABLE` (503) if the store
 * fails or does not answer within `storeTimeout` (`deleteAllSessions` has no time limit), and with `GOSESH_ERR_NOT_READY` if
 * the store comes from a function or a promise and the app is not ready.
 */
export interface SessionManager {
  /**
   * Creates a session for a client that keeps the token itself. Its lifetimes are by default those of the first credential
   * that cannot be written to a reply (bearer), else of the first credential. Rejects with `GOSESH_ERR_USER_ID`,
   * `GOSESH_ERR_METADATA` or `GOSESH_ERR_OPTION` on bad input, with `GOSESH_ERR_TOO_MANY_SESSIONS` if
   * `maxSessionsPerUser` refuses, and with the store's own error, such as `GOSESH_ERR_STORE_FULL`.
   */
  createSession(
    userId: string,
    options?: CreateSessionOptions,
  ): Promise<{ readonly session: Session; readonly token: SessionToken }>
  /**
   * The live session of a token, or `null`. Counts as activity, except with `activity: false`. Rejects with `GOSESH_ERR_OPTION` on
   * a wrong option.
   */
  verifyToken(token: TokenInput, options?: VerifyTokenOptions): Promise<Session | null>
  /**
   * The live session of an id, pending activity included, or `null`. Not activity: for looking again at a session that is
   * in use, such as that of a WebSocket.
   */
  getSession(id: SessionIdInput): Promise<Session | null>
  /**
   * For a user who has just proved again who they are, and whose client keeps the token itself: a new token for the same
   * session, and the old one is no good any more. It asks for no secret: give it only the id of a session that was verified. `authenticatedAt` is now, the given factors are added, and the absolute
   * deadline starts again (NIST SP 800-63B-4, section 5.2). Rejects with 401 `GOSESH_ERR_UNAUTHENTICATED` if there is no such
   * session, with `GOSESH_ERR_OPTION` or `GOSESH_ERR_METADATA` on bad input, and with `GOSESH_ERR_STORE_CAPABILITY` if the
   * store cannot update sessions. If the store fails, the old token goes on.
   */
  reauthenticate(
    id: SessionIdInput,
    options?: ReauthenticateOptions,
  ): Promise<{ readonly session: Session; readonly token: SessionToken }>
  /**
   * Sets keys of the session's metadata, and removes those that are `null`; token, times and id stay. Resolves with false if
   * there is no such session, or with `userId` if that user has no such session. Rejects with `GOSESH_ERR_METADATA`, also for
   * keys that begin with `oidc_`, by which `gosesh/oauth` knows whose session it is; with `GOSESH_ERR_USER_ID`; and with
   * `GOSESH_ERR_STORE_CAPABILITY` if the store cannot update sessions.
   */
  updateMetadata(id: SessionIdInput, patch: MetadataPatch, options?: UpdateMetadataOptions): Promise<boolean>
  /**
   * The data of a session, for code without a request. Each call first reads if the session is alive, and rejects with 401
   * `GOSESH_ERR_UNAUTHENTICATED` if it is not; else as `request.sessionData`.
   */
  sessionData(id: SessionIdInput): SessionDataAccess
  /**
   * Deletes every session of the user, then all that the store knows of them (OWASP ASVS 14.2.7). Resolves with false if
   * there was nothing. Rejects with `GOSESH_ERR_USER_ID`, and with `GOSESH_ERR_STORE_CAPABILITY` if the store lacks the
   * method.
   */
  deleteUser(userId: string): Promise<boolean>
  /**
   * Deletes one session. Resolves with false if there is no such session, or with `userId` if that user has no such session;
   * a malformed id counts as absent. Rejects with `GOSESH_ERR_USER_ID` or `GOSESH_ERR_OPTION` on bad options.
   */
  deleteSession(id: SessionIdInput, options?: DeleteSessionOptions): Promise<boolean>
  /**
   * Deletes every session of a user except `except`. Resolves with the number of sessions deleted. Rejects with
   * `GOSESH_ERR_USER_ID`, with `GOSESH_ERR_SESSION_ID` if `except` is malformed, and with `GOSESH_ERR_OPTION`.
   */
  deleteUserSessions(userId: string, options?: DeleteUserSessionsOptions): Promise<number>
  /**
   * Deletes every session whose metadata holds all the pairs; no pairs match no session. Resolves with the number of
   * sessions deleted. Rejects with
   * `GOSESH_ERR_METADATA`, with `GOSESH_ERR_STORE_CAPABILITY` if the store lacks the method, and with
   * `GOSESH_ERR_OPTION` if it cannot search by any of these keys (Redis: only by `oidc_sid`, `oidc_sub` and its
   * `indexedMetadata`).
   */
  deleteSessionsByMetadata(pairs: SessionMetadata): Promise<number>
  /**
   * Deletes all sessions, without a time limit. Resolves with the number of sessions deleted. Rejects with
   * `GOSESH_ERR_STORE_CAPABILITY` if the store lacks the method.
   */
  deleteAllSessions(): Promise<number>
  /**
   * The user's live sessions, the most recently active first, pending activity included. Rejects with
   * `GOSESH_ERR_USER_ID`, and with `GOSESH_ERR_STORE_CAPABILITY` if the store lacks the method.
   */
  listUserSessions(userId: string): Promise<Session[]>
  /** Finds or makes the user of an auth provider id. Resolves with the user's id. Rejects with `GOSESH_ERR_USER_ID`. */
  upsertUser(authProviderId: string): Promise<string>
  /**
   * Calls the listener whenever this process deletes a session or finds one expired (possibly more than once); with the option
   * `sessionCache` also when another process has deleted one. Returns a function that removes the listener. Its errors are
   * caught and logged. Throws `GOSESH_ERR_OPTION`.
   */
  onSessionEnd(listener: SessionEndListener): () => void
  /** Every option in force, with defaults filled in, as plain data to print or to log. */
  readonly policy: EffectivePolicy
  /** The store itself. Throws `GOSESH_ERR_NOT_READY` if it is not known yet. */
  readonly store: SessionStore
  /** Built in `onReady`; `null` before, and if tracking is off. */
  readonly activityTracker: ActivityTracker | null
  /** What the option `sessionCache` does; `null` if it is off. */
  readonly cacheStats: SessionCacheStats | null
}
