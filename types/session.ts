declare const brand: unique symbol

/** What a client presents: the session id, a dot and a secret of 32 random bytes, 66 characters. Never stored or logged. */
export type SessionToken = string & { readonly [brand]: 'SessionToken' }

/** 16 random bytes, base64url, 22 characters, the same for the session's whole life. It signs nobody in; safe to show. */
export type SessionId = string & { readonly [brand]: 'SessionId' }

/** A string that may be a session token: anything a client sent, but, to the compiler, never a `SessionId`. */
export type TokenInput = string & { readonly [brand]?: 'SessionToken' }

/** A string that may be a session id, such as a route parameter, but, to the compiler, never a `SessionToken`. */
export type SessionIdInput = string & { readonly [brand]?: 'SessionId' }

/** Facts about a sign-in that the application keeps with the session. At most 4 KiB as JSON in UTF-8. */
export type SessionMetadata = Readonly<Record<string, string>>

/** A way in which the user proved who they are. */
export interface Factor {
  /** Its name in RFC 8176, section 2, such as `pwd`, `otp` or `hwk`. */
  readonly method: string
  readonly at: Date
}

/** A sign-in session, as it stood when it was read: frozen, with plain properties of its own. */
export interface Session {
  readonly id: SessionId
  readonly userId: string
  readonly createdAt: Date
  /** When the user last proved who they are: at the sign-in, or when they re-authenticated. */
  readonly authenticatedAt: Date
  /** How they proved it, each method with its latest time; empty if the application did not say. */
  readonly factors: readonly Factor[]
  /** The last verified request that counted as activity, or the sign-in. */
  readonly lastActivityAt: Date
  /** Milliseconds without activity after which the session ends; `null`: it has no idle limit. */
  readonly idleTimeout: number | null
  /** `lastActivityAt + idleTimeout`, never past the absolute deadline; `null`: it has no idle limit. */
  readonly idleDeadline: Date | null
  /** The latest end of the session, counted from the sign-in or the last re-authentication; nothing else moves it. */
  readonly absoluteDeadline: Date
  /** Given at sign-in; changed by `app.gosesh.updateMetadata`. */
  readonly metadata: SessionMetadata | null
  /** True if the session belongs to one device, which proves that it holds the key. */
  readonly deviceBound: boolean
}

/** The lifetimes of a session, in milliseconds. */
export interface SessionLifetime {
  readonly idleTimeout: number | null
  readonly absoluteTimeout: number
}
