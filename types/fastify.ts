import type { SessionManager } from './manager.js'
import type { RouteSessionOptions, SignInOptions, SignOutOptions } from './options.js'
import type { Session } from './session.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Sessions apart from a reply: list, verify, delete. */
    gosesh: SessionManager
    /** A hook that answers 401 to a request without a session. `config.session.required` is the safer way. */
    requireSession: (request: Pick<FastifyRequest, 'requireSession'>) => Promise<void>
  }

  interface FastifyRequest {
    /** The verified session as it stood when the request arrived, pending activity included; else `null`. */
    readonly session: Session | null
    /** The session, or throws 401 `GOSESH_ERR_UNAUTHENTICATED`. */
    requireSession(): Session
  }

  interface FastifyReply {
    /**
     * Begins a session and writes its credential; the session that the same credential presented is deleted. Await it
     * before the reply is sent, streamed or hijacked. Rejects with 403 `GOSESH_ERR_CROSS_ORIGIN` for a request of an
     * unsafe method from a page of another origin,
     * with 503 where the store cannot, and with `GOSESH_ERR_CREDENTIAL_NOT_WRITABLE` where no credential can be
     * written.
     */
    signIn(userId: string, options?: SignInOptions): Promise<Session>
    /** Ends the session, or all of the user's, then clears the credential. Rejects with 503 where the store cannot. */
    signOut(options?: SignOutOptions): Promise<void>
  }

  interface FastifyContextConfig {
    /** `false`: no session work at all on this route. */
    session?: false | RouteSessionOptions | undefined
  }
}
