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
