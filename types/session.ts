declare const brand: unique symbol

/** The secret that a client holds: 32 random bytes, base64url, 43 characters. Never stored and never logged. */
export type SessionToken = string & { readonly [brand]: 'SessionToken' }

/** SHA-256 of the session token, base64url, 43 characters. What stores, logs and APIs see; safe to show. */
export type SessionId = string & { readonly [brand]: 'SessionId' }

/** A string that may be a session token: anything a client sent, but, to the compiler, never a `SessionId`. */
export type TokenInput = string & { readonly [brand]?: 'SessionToken' }

/** A string that may be a session id, such as a route parameter, but, to the compiler, never a `SessionToken`. */
export type SessionIdInput = string & { readonly [brand]?: 'SessionId' }

/** Facts about a sign-in that the application keeps with the session. At most 4 KiB as JSON in UTF-8. */
export type SessionMetadata = Readonly<Record<string, string>>

/** A sign-in session, as it stood when it was read. */
export interface Session {
  readonly id: SessionId
  readonly userId: string
  readonly createdAt: Date
  /** The last verified request that counted as activity, or the sign-in. */
  readonly lastActivityAt: Date
  /** Milliseconds without activity after which the session ends; `null`: it has no idle limit. */
  readonly idleTimeout: number | null
  /** `lastActivityAt + idleTimeout`, never past the absolute deadline; `null`: it has no idle limit. */
  readonly idleDeadline: Date | null
  /** The latest end of the session, fixed at sign-in. */
  readonly absoluteDeadline: Date
  /** Given at sign-in, never changed. */
  readonly metadata: SessionMetadata | null
}

/** The lifetimes of a session, in milliseconds. */
export interface SessionLifetime {
  readonly idleTimeout: number | null
  readonly absoluteTimeout: number
}
