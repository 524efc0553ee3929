import type { ActivityTracker } from './activity.js'
import type { SessionEndListener } from './events.js'
import type {
  CreateSessionOptions,
  DeleteSessionOptions,
  DeleteUserSessionsOptions,
  VerifyTokenOptions,
} from './options.js'
import type { EffectivePolicy } from './policy.js'
import type { Session, SessionIdInput, SessionMetadata, SessionToken, TokenInput } from './session.js'
import type { SessionStore } from './store.js'

/**
 * `app.gosesh`: what is not tied to one reply. Every method rejects with `GOSESH_ERR_STORE_UNAVAILABLE` (503) if the
 * store fails or does not answer within `storeTimeout` (`deleteAllSessions` waits as long as it takes), and with
 * `GOSESH_ERR_NOT_READY` if the store comes from a function or a promise and the app is not ready.
 */
export interface SessionManager {
  /**
   * Begins a session for a client that keeps the token itself. Lifetimes are those of the first credential that cannot
   * be written to a reply (bearer), else the first credential's. Rejects with `GOSESH_ERR_USER_ID`,
   * `GOSESH_ERR_METADATA` or `GOSESH_ERR_OPTION` on bad input, with `GOSESH_ERR_TOO_MANY_SESSIONS` if
   * `maxSessionsPerUser` refuses, and with what the store rejects with (`GOSESH_ERR_STORE_FULL`).
   */
  createSession(
    userId: string,
    options?: CreateSessionOptions,
  ): Promise<{ readonly session: Session; readonly token: SessionToken }>
  /**
   * The live session of a token, or `null`. Counts as activity unless told not to. Rejects with `GOSESH_ERR_OPTION` on
   * a wrong option.
   */
  verifyToken(token: TokenInput, options?: VerifyTokenOptions): Promise<Session | null>
  /**
   * The live session of an id, pending activity included, or `null`. Not activity: to look again at a session that is
   * in use, as a WebSocket's.
   */
  getSession(id: SessionIdInput): Promise<Session | null>
  /**
   * Ends one session. Resolves with false if there was none (with `userId`: none of that user). Rejects with
   * `GOSESH_ERR_USER_ID` or `GOSESH_ERR_OPTION` on bad options; what is no session id is no session.
   */
  deleteSession(id: SessionIdInput, options?: DeleteSessionOptions): Promise<boolean>
  /**
   * Ends every session of a user, but for `except`; resolves how many. Rejects with `GOSESH_ERR_USER_ID`, with
   * `GOSESH_ERR_SESSION_ID` if `except` is none, and with `GOSESH_ERR_OPTION`.
   */
  deleteUserSessions(userId: string, options?: DeleteUserSessionsOptions): Promise<number>
  /**
   * Ends every session whose metadata holds all the pairs; resolves how many, 0 for no pairs. Rejects with
   * `GOSESH_ERR_METADATA`, with `GOSESH_ERR_STORE_CAPABILITY` if the store cannot, and with `GOSESH_ERR_OPTION`
   * if it cannot search by any of these keys (Redis: by none but `oidc_sid`, `oidc_sub` and its `indexedMetadata`).
   */
  deleteSessionsByMetadata(pairs: SessionMetadata): Promise<number>
  /**
   * Ends all sessions, however long it takes; resolves how many. Rejects with `GOSESH_ERR_STORE_CAPABILITY` if the
   * store cannot.
   */
  deleteAllSessions(): Promise<number>
  /**
   * The user's live sessions, the most recently active first, pending activity included. Rejects with
   * `GOSESH_ERR_USER_ID`, and with `GOSESH_ERR_STORE_CAPABILITY` if the store cannot list.
   */
  listUserSessions(userId: string): Promise<Session[]>
  /** Finds or makes the user of an auth provider id; resolves the user's id. Rejects with `GOSESH_ERR_USER_ID`. */
  upsertUser(authProviderId: string): Promise<string>
  /**
   * Calls the listener whenever this process ends a session or finds one expired (that one possibly more than once);
   * returns a function that takes it back. What it throws is caught and logged. Throws `GOSESH_ERR_OPTION`.
   */
  onSessionEnd(listener: SessionEndListener): () => void
  /** Every option in force, with defaults filled in, as plain data to print or to log. */
  readonly policy: EffectivePolicy
  /** The store itself. Throws `GOSESH_ERR_NOT_READY` if it is not known yet. */
  readonly store: SessionStore
  /** Built in `onReady`; `null` before, and if tracking is off. */
  readonly activityTracker: ActivityTracker | null
}
