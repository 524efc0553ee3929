import type { EventError } from './events.js'
import type { SessionId } from './session.js'

/**
 * The option `deviceBinding` (W3C Device Bound Session Credentials, draft of 2025-08-21). Experimental: browsers and the draft
 * still change.
 */
export interface DeviceBindingOptions {
  /**
   * Random text or bytes, 32 bytes or more, the same on each node. To rotate it, give an array: the first one signs, each
   * verifies.
   */
  readonly secret: string | Uint8Array | readonly (string | Uint8Array)[]
  /** Milliseconds for which a proof is good, 5 minutes or more: a copy of both cookies works no longer. Default: 600,000. */
  readonly lifetime?: number | undefined
  /**
   * Where browsers register and refresh (`path` and `path/refresh`), with the prefix of the context. No proxy or limiter may
   * answer 4xx there. Default: `/auth/device-key`.
   */
  readonly path?: string | undefined
  /**
   * The hosts whose links may make the browser refresh first, such as `*.example.com`; `*`: all. A visitor who follows the link
   * of another one arrives without a proof if it has expired. Default: `['*']`.
   */
  readonly allowedRefreshInitiators?: readonly string[] | undefined
}

/**
 * Why a browser's registration or refresh was not accepted. `challenged`: it has yet to sign, as on each refresh. `stale`: it
 * signed an old challenge, and was given a new one on a refresh. `header`: a header is missing, too long or malformed. `proof`:
 * the signature, its type or its algorithm is wrong. `challenge`: it signed something else. `session`: there is no such live
 * session, or it is not bound. `cookie`: the session cookie names another session. `key`: the session is bound to another key.
 */
export type DeviceRefusalReason =
  | 'challenged'
  | 'stale'
  | 'header'
  | 'proof'
  | 'challenge'
  | 'session'
  | 'cookie'
  | 'key'

/** Published to `gosesh:device-registration` and `gosesh:device-refresh` for each request of a browser to bind or to refresh. */
export interface DeviceKeyMessage {
  readonly outcome: 'accepted' | 'refused' | 'failed'
  /** `null` unless it was refused. */
  readonly reason: DeviceRefusalReason | null
  /** `null` if it is not known. */
  readonly sessionId: SessionId | null
  readonly durationMs: number
  /** What failed, such as the store. */
  readonly error: EventError | null
}

/**
 * Published to `gosesh:device-refusal` for each request of a bound session without a valid proof. `none`: without a proof,
 * such as that of a stolen cookie. `expired`: with an old one. `wrong`: with that of another session, or a forged one.
 * `unreachable`: the browser says that it could not refresh it; answered 503. `unbound`: the session is not bound, and the route
 * demands that it be.
 */
export interface DeviceRefusalMessage {
  readonly reason: 'none' | 'expired' | 'wrong' | 'unreachable' | 'unbound'
  readonly sessionId: SessionId
  readonly userId: string
}
