import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionLifetime, SessionToken } from './session.js'

/** Where a request carries the session token, and the lifetimes of sessions that begin through it. */
export interface Credential extends SessionLifetime {
  /** A short name for messages: `cookie`, `bearer`. */
  readonly name: string
  /** The request header that carries it; added to `Vary`. */
  readonly header: string
  /** The name of the cookie, if it is one. */
  readonly cookieName?: string
  /**
   * True if browsers send it by themselves, for other sites' pages too; then requests of unsafe methods from other
   * origins are refused. Default: true if `header` is `Cookie`.
   */
  readonly ambient?: boolean
  /** The authentication scheme for `WWW-Authenticate` on a 401, or `null` if HTTP defines none. */
  readonly challenge: string | null
  /** The longest absolute timeout that the credential can carry, in milliseconds, if there is such a limit. */
  readonly maxAbsoluteTimeout?: number
  /** What the request carries, if anything. Whatever is not shaped like a token counts as absent. */
  read(request: FastifyRequest): string | null
  /**
   * Gives the client the token with the reply, for `maxAge` seconds; `null`: until the client is closed. Absent if the
   * client keeps it by itself.
   */
  write?(reply: FastifyReply, token: SessionToken, maxAge: number | null): void
  /** Takes the token from the client. */
  clear?(reply: FastifyReply): void
  /** Why the client would not send the credential back over this connection, or `null`; logged once, as a warning. */
  transportProblem?(request: FastifyRequest): string | null
}

/** Options of `cookieCredential`. */
export interface CookieCredentialOptions {
  /** Default: `__Host-session`. A browser holds a cookie of that prefix to this host, `Path=/` and `Secure`. */
  readonly name?: string | undefined
  /** Default: none, the host itself and no subdomain. */
  readonly domain?: string | undefined
  /** Default: `/`. */
  readonly path?: string | undefined
  /** Default: `lax`. */
  readonly sameSite?: 'strict' | 'lax' | 'none' | undefined
  /** Default: `true`. Browsers other than Safari send such a cookie to `http://localhost`, too. */
  readonly secure?: boolean | undefined
  /** One cookie for each site that embeds the application (CHIPS). Default: `false`. */
  readonly partitioned?: boolean | undefined
  /** Milliseconds without activity after which a session ends; `null`: no idle limit. Default: 30 minutes. */
  readonly idleTimeout?: number | null | undefined
  /** Milliseconds after which a session ends whatever happens, at most 400 days. Default: 24 hours. */
  readonly absoluteTimeout?: number | undefined
}
