import type { FastifyInstance } from 'fastify'
import type { CookieCredentialOptions, Credential } from './credential.js'
import type { SessionDataOptions } from './data.js'
import type { DeviceBindingOptions } from './device-binding.js'
import type { FlushError } from './errors.js'
import type { SessionId } from './session.js'
import type { SessionStore } from './store.js'

/** The one source of time: milliseconds since the epoch. */
export interface Clock {
  now(): number
}

/** The part of pino that gosesh calls. */
export interface Logger {
  debug(details: object, message: string): void
  info(details: object, message: string): void
  warn(details: object, message: string): void
  error(details: object, message: string): void
}

export interface ActivityTrackingOptions {
  /** Milliseconds between flushes, at most; each is up to a tenth sooner, at random. Default: 30,000. */
  readonly flushInterval?: number | undefined
  /** Milliseconds that the store has for one batch, and for everything that is left at shutdown. Default: 5,000. */
  readonly flushTimeout?: number | undefined
  /** Sessions in one store call. Default: 5,000. */
  readonly maxBatchSize?: number | undefined
  /** Sessions pending at most; activity of further ones is dropped and counted. Default: 1,000,000. */
  readonly maxPending?: number | undefined
  /** Called for every batch that failed or timed out. Its errors are caught and logged. Default: none. */
  readonly onFlushError?: ((error: FlushError) => void) | undefined
}

/** The option `sessionCache`. */
export interface SessionCacheOptions {
  /**
   * Milliseconds for which this process may accept a session that another one has ended, whatever fails; at least four times
   * `pollInterval`. Default: 2,000.
   */
  readonly maxStaleness?: number | undefined
  /** Milliseconds between looks at the store's log of revocations, at most. Default: 100. */
  readonly pollInterval?: number | undefined
  /** Sessions in memory at most; 0: none, and only their ends are heard of. Default: 100,000. */
  readonly maxSessions?: number | undefined
  /** Milliseconds after which a session in memory is read again. Default: 300,000. */
  readonly maxEntryAge?: number | undefined
}

/**
 * Options of `app.register(gosesh, options)`. A wrong one rejects start-up with `GOSESH_ERR_OPTION`, and one that needs
 * a method which the store lacks with `GOSESH_ERR_STORE_CAPABILITY`.
 */
export interface GoseshOptions {
  /** Where sessions are kept; as a function it is called in `onReady`. Default: a new `MemoryStore`. */
  readonly store?:
    | SessionStore
    | Promise<SessionStore>
    | ((app: FastifyInstance) => SessionStore | Promise<SessionStore>)
    | undefined
  /** Where requests carry the token, tried in order. Default: `[cookieCredential()]`. */
  readonly credentials?: readonly Credential[] | undefined
  /** Exact last activity without a store write per request. Default: off; `{}` turns it on with its defaults. */
  readonly activityTracking?: ActivityTrackingOptions | false | undefined
  /**
   * Keeps verified sessions in memory, so that requests need not read the store, and hears of the sessions that other processes
   * end. Another process may accept a session for at most `maxStaleness` after it was ended. Needs a store that keeps a log of
   * revocations: PostgreSQL, or Redis that is no cluster. Default: off; `{}` turns it on with its defaults.
   */
  readonly sessionCache?: SessionCacheOptions | false | undefined
  /** Where gosesh logs; as a function it is called in `onReady`. Default: `app.log`. */
  readonly logger?: Logger | ((app: FastifyInstance) => Logger) | undefined
  /**
   * With tracking off, milliseconds for which activity may go unwritten; a tenth of a session's idle timeout if
   * that is less. Default: 60,000.
   */
  readonly refreshInterval?: number | undefined
  /** Milliseconds that the store has for a call; then the request fails with 503. Default: 2,000. */
  readonly storeTimeout?: number | undefined
  /** Store calls that wait at once; past it a request fails with 503 straight away. Default: 1,000. */
  readonly maxPendingStoreCalls?: number | undefined
  /** Milliseconds between sweeps of expired sessions; `null`: never. Default: 600,000, if the store can sweep. */
  readonly sweepInterval?: number | null | undefined
  /** The one source of time. Default: `Date`. */
  readonly clock?: Clock | undefined
  /**
   * Origins beside the request's own whose pages may send requests of unsafe methods with a cookie, such as
   * `https://app.example.com`. Default: none.
   */
  readonly trustedOrigins?: readonly string[] | undefined
  /**
   * Turns the protection against cross-origin requests off, for an application that has one of its own on every
   * route. Default: `false`.
   */
  readonly dangerouslyAllowCrossOriginRequests?: boolean | undefined
  /**
   * Sessions that a user may have at once (OWASP ASVS 7.1.2); needs a store that lists. A number ends the least
   * recently active one at a sign-in past it. Sign-ins of one user that run at once may pass it, by at most their
   * number. Default: no limit.
   */
  readonly maxSessionsPerUser?: number | SessionLimitOptions | undefined
  /** Refuses every session created before this time, as after an incident (OWASP ASVS 7.4.5). Default: none. */
  readonly notBefore?: Date | undefined
  /**
   * Milliseconds after its sign-in at which a session ends, whatever it was created with: a shorter policy reaches
   * the sessions there are. Default: no more than their own absolute timeout.
   */
  readonly maxAge?: number | undefined
  /** The data that a browser clears at sign-out, by `Clear-Site-Data` (OWASP ASVS 14.3.1). Default: none. */
  readonly clearSiteData?: readonly ClearSiteDataType[] | undefined
  /**
   * What the verified session is called on the request, if another plugin such as `gosesh/compat` is to have
   * `request.session`. Its type is then the application's to declare. Default: `session`.
   */
  readonly decorateAs?: string | undefined
  /** Limits of `request.sessionData`. Default: 50 keys, each of 16,384 characters at most. */
  readonly data?: SessionDataOptions | undefined
  /**
   * Keeps `request.sessionData` for visitors who have not signed in: the first write creates a record and its cookie. Default:
   * off, and a write without a session is 401; `{}` turns it on with its defaults.
   */
  readonly visitors?: VisitorOptions | false | undefined
  /**
   * Binds the sessions of browsers that can do it to a key of the device, so that a copied cookie soon stops working.
   * Experimental; needs the package jose and a store with `updateSession`. Default: off.
   */
  readonly deviceBinding?: DeviceBindingOptions | false | undefined
  /** Adds `sessionId` and `userId` to the log lines of a verified request. Default: `false`. */
  readonly bindSessionToLog?: boolean | undefined
  /**
   * Every route of the context wants a session (401 without one) unless its `config.session` is `false` or says
   * `required: false` (OWASP ASVS 8.3.1). An address without a route stays 404. Default: `false`.
   */
  readonly requireByDefault?: boolean | undefined
}

/** The option `visitors`. */
export interface VisitorOptions {
  /** Milliseconds after its last write at which a visitor's data ends, at most 400 days. Default: 7 days. */
  readonly idleTimeout?: number | undefined
  /** The visitor's cookie, with the options of `cookieCredential` but for the lifetimes. Default name: `__Host-visitor`. */
  readonly cookie?: Omit<CookieCredentialOptions, 'idleTimeout' | 'absoluteTimeout'> | undefined
}

/** The limit of sessions for one user. */
export interface SessionLimitOptions {
  /** Live sessions of one user, the new one included. */
  readonly limit: number
  /**
   * `endLeastRecent`: sign-in ends the least recently active session. `refuse`: it rejects with
   * `GOSESH_ERR_TOO_MANY_SESSIONS`. Default: `endLeastRecent`.
   */
  readonly whenFull?: 'endLeastRecent' | 'refuse' | undefined
}

/** A kind of data that a browser keeps for an origin (W3C Clear Site Data). */
export type ClearSiteDataType = 'cache' | 'cookies' | 'storage' | 'executionContexts' | '*'

/** Options of `app.gosesh.createSession`. */
export interface CreateSessionOptions {
  /** Milliseconds without activity after which the session ends; `null`: no idle limit. Default: the credential's. */
  readonly idleTimeout?: number | null | undefined
  /** Milliseconds after which the session ends whatever happens. Default: the credential's. */
  readonly absoluteTimeout?: number | undefined
  /**
   * When the user really signed in, for a session that carries on an earlier sign-in, such as one of another session
   * library. The absolute timeout counts from it, or from `authenticatedAt` if that is later; the idle timeout counts from
   * now. `GOSESH_ERR_OPTION` for a time in the future, or so long ago that the session would have ended already.
   * Default: now.
   */
  readonly createdAt?: Date | undefined
  /**
   * When the user last proved who they are, such as a provider's `auth_time`. `GOSESH_ERR_OPTION` for a time in the future,
   * or longer ago than the option `maxAge` lets a session live. Default: `createdAt`.
   */
  readonly authenticatedAt?: Date | undefined
  /** How they proved it, by the names of RFC 8176, section 2, such as `pwd` and `otp`; at most 20. Default: none. */
  readonly factors?: readonly string[] | undefined
  /**
   * `false`: the cookie has no `Max-Age`, so it ends with the browser, as for an unticked “remember me”. Kept with
   * the session; on the server the absolute timeout holds all the same. Default: `true`.
   */
  readonly persistent?: boolean | undefined
  /** Strings, kept with the session; at most 4 KiB as JSON. A key that is `undefined` is left out. Default: `null`. */
  readonly metadata?: Readonly<Record<string, string | undefined>> | null | undefined
}

/** Options of `reply.signIn`. */
export interface SignInOptions extends CreateSessionOptions {
  /**
   * Keys of the visitor's data that the session begins with; then the visitor ends. Whatever is not named stays behind: somebody
   * else may have planted it before the sign-in. Needs the option `visitors`. Default: none.
   */
  readonly carry?: readonly string[] | undefined
  /**
   * Accepts a request that a page of another origin sent: for a caller that verified a one-time state itself,
   * such as a provider's form_post callback. Default: `false`.
   */
  readonly allowCrossOrigin?: boolean | undefined
}

/** Options of `reply.reauthenticate` and `app.gosesh.reauthenticate`. */
export interface ReauthenticateOptions {
  /** How the user has just proved who they are, by the names of RFC 8176, section 2. Default: none. */
  readonly factors?: readonly string[] | undefined
  /** When they proved it, such as a provider's `auth_time`; `GOSESH_ERR_OPTION` as for `signIn`. Default: now. */
  readonly authenticatedAt?: Date | undefined
  /** Strings to set in the metadata; `null` removes a key. Default: nothing changes. */
  readonly metadata?: MetadataPatch | undefined
}

/** Options of `reply.reauthenticate`. */
export interface ReplyReauthenticateOptions extends ReauthenticateOptions {
  /** As for `signIn`. Default: `false`. */
  readonly allowCrossOrigin?: boolean | undefined
}

/** Keys of the metadata to set; `null` removes one, `undefined` leaves it alone. */
export type MetadataPatch = Readonly<Record<string, string | null | undefined>>

/** Options of `app.gosesh.updateMetadata`. */
export interface UpdateMetadataOptions {
  /** Change only a session of this user. Default: of anybody; given as `undefined`, `GOSESH_ERR_USER_ID`. */
  readonly userId?: string
}

/** Options of `reply.signOut`. */
export interface SignOutOptions {
  /** Also end every other session of the user. Default: `false`. */
  readonly everywhere?: boolean | undefined
}

/** Options of `app.gosesh.verifyToken`. */
export interface VerifyTokenOptions {
  /** Counts the call as activity. Default: `true`. */
  readonly activity?: boolean | undefined
}

/** Options of `app.gosesh.deleteSession`. */
export interface DeleteSessionOptions {
  /** Delete only a session of this user. Default: of anybody; given as `undefined`, `GOSESH_ERR_USER_ID`. */
  readonly userId?: string
}

/** Options of `app.gosesh.deleteUserSessions`. */
export interface DeleteUserSessionsOptions {
  /** The one session to keep. Default: none. */
  readonly except?: SessionId | undefined
}

/** A route's `config.session`, if it is not `false` (no session work at all). */
export interface RouteSessionOptions {
  /** Answer 401 to a request without a session. Default: `false`. */
  readonly required?: boolean | undefined
  /** Lets a request keep the session alive. Default: `true`. */
  readonly activity?: boolean | undefined
  /**
   * Milliseconds within which the user must have proved who they are, counted from `authenticatedAt`; else 401
   * `GOSESH_ERR_SIGN_IN_NOT_RECENT` (OWASP ASVS 7.5.1, RFC 9470). A session is required then. Default: any time will do.
   */
  readonly signedInWithin?: number | undefined
  /**
   * Methods that the session's `factors` must have, else 401 `GOSESH_ERR_FACTOR_MISSING` (RFC 9470). With `signedInWithin` each
   * must have been proved within that time, too. A session is required then. Default: none.
   */
  readonly factors?: readonly string[] | undefined
  /**
   * With the option `sessionCache`: lets requests find their session in memory. A route with `signedInWithin`, `factors` or
   * `deviceBound` reads the store in any case. Default: `true` for `GET` and `HEAD`, `false` for other methods.
   */
  readonly cache?: boolean | undefined
  /**
   * `true`: the session must be bound to a device, else 401 `GOSESH_ERR_DEVICE_PROOF`. A session is required then. Needs the
   * option `deviceBinding`. Default: any session will do.
   */
  readonly deviceBound?: boolean | undefined
}
