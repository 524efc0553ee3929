import type { SessionId } from './session.js'

/**
 * Why a session ended. `signedOut`: by `signOut`, `deleteSession` or `deleteSessionsByMetadata`. `everywhere`: together
 * with all sessions of its user. `all`: by `deleteAllSessions`. `replaced`: by a sign-in with the same cookie. `evicted`: by
 * a sign-in past `maxSessionsPerUser`. `expired`: a request or a call found it past a deadline, or older than `notBefore`.
 * With the option `sessionCache` also `elsewhere`: by another process; and `unknown`: other processes may have ended any session,
 * as after the loss of the store's data, so look up those that matter.
 */
export type SessionEndReason =
  | 'signedOut'
  | 'everywhere'
  | 'all'
  | 'replaced'
  | 'evicted'
  | 'expired'
  | 'elsewhere'
  | 'unknown'

/** A session that this process ended or found ended; with the option `sessionCache`, any process. */
export interface SessionEnd {
  readonly reason: SessionEndReason
  /**
   * `null`: all sessions of the user except `except`; or all sessions there are, if `userId` is `null` too, and with `unknown`
   * perhaps none of them.
   */
  readonly sessionId: SessionId | null
  /** `null`: not known, or all users. */
  readonly userId: string | null
  /** The session that was kept, if `sessionId` is `null`; else `null`. */
  readonly except: SessionId | null
}

/** Called when a session ends; may be `async`. If it throws or rejects, the error is logged. */
export type SessionEndListener = (end: SessionEnd) => void

/** The error of a failed operation. It has a `code` if it comes from gosesh (`GOSESH_ERR_*`), Fastify or Node. */
export interface EventError extends Error {
  readonly code?: string
}

/** Published to the diagnostics channel `gosesh:verify` for each token that was looked up, in the store or in memory. */
export interface VerifyMessage {
  /**
   * `verified`, `absent` (no such session, or revoked meanwhile), `expired`, `mismatch` (there is a session of this id, and
   * the secret is not its own: an old token after a re-authentication, or a guess), or `failed` (see `error`).
   */
  readonly outcome: 'verified' | 'absent' | 'expired' | 'mismatch' | 'failed'
  readonly sessionId: SessionId
  /** `null` unless the outcome is `verified`. */
  readonly userId: string | null
  /** True if the session is bound to a device; its proof is looked at apart from the token. */
  readonly deviceBound: boolean
  readonly durationMs: number
  readonly error: EventError | null
  /** True if the session was in memory, with the option `sessionCache`; then the outcome is `verified`. */
  readonly cached: boolean
}

/** Published to `gosesh:sign-in` for each sign-in, whether it succeeded or failed. */
export interface SignInMessage {
  /** `null` if it failed. */
  readonly sessionId: SessionId | null
  readonly userId: string
  /** The credential that was written, or `null` if the client keeps the token itself. */
  readonly credential: string | null
  /** Where the request came from (`request.ip`); `null`, as is `userAgent`, if it was not a reply that signed in. */
  readonly address: string | null
  /** The header `User-Agent`, cut to 500 characters. */
  readonly userAgent: string | null
  readonly durationMs: number
  readonly error: EventError | null
}

/** Published to `gosesh:reauthenticate` for each re-authentication, whether it succeeded or failed. */
export interface ReauthenticateMessage {
  readonly sessionId: SessionId
  /** `null` if it is not known. */
  readonly userId: string | null
  readonly factors: readonly string[]
  /** As in `SignInMessage`. */
  readonly address: string | null
  readonly userAgent: string | null
  readonly durationMs: number
  readonly error: EventError | null
}

/** Published to `gosesh:update-metadata` for each call of `app.gosesh.updateMetadata`, whether it succeeded or failed. */
export interface UpdateMetadataMessage {
  readonly sessionId: SessionId
  /** The keys of the patch. Values may be personal, and are not published. */
  readonly keys: readonly string[]
  readonly durationMs: number
  readonly error: EventError | null
}

/**
 * Published to `gosesh:sign-out` for each sign-out, whether it succeeded or failed; not if the request carried no session
 * token.
 */
export interface SignOutMessage {
  readonly sessionId: SessionId | null
  /** `null` if the session was not verified, as on a route with `config.session` `false`. */
  readonly userId: string | null
  readonly everywhere: boolean
  readonly durationMs: number
  readonly error: EventError | null
}

/** Published to `gosesh:cross-origin` when a request was refused. */
export interface CrossOriginMessage {
  /** `null`, as is `userId`, if `signIn` refused. */
  readonly sessionId: SessionId | null
  readonly userId: string | null
  readonly method: string
  /** The `Origin` header of the request; `null` if it had none. */
  readonly origin: string | null
}

/** Published to `gosesh:flush` for each batch of activity. */
export interface FlushMessage {
  readonly batchSize: number
  /** Sessions that the store moved; 0 if it failed. */
  readonly updatedCount: number
  readonly durationMs: number
  /** The `FlushError`, or `null`. The batch is kept for the next flush. */
  readonly error: EventError | null
}

/** Published to `gosesh:sweep` after each sweep. */
export interface SweepMessage {
  readonly deletedCount: number
  readonly durationMs: number
  readonly error: EventError | null
}
