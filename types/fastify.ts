import type { SessionDataAccess } from './data.js'
import type { SessionManager } from './manager.js'
import type {
  ReplyReauthenticateOptions,
  RouteSessionOptions,
  SignInOptions,
  SignOutOptions,
} from './options.js'
// Under another name: here a bare `Session` is that of @fastify/session, if its types are installed.
import type { Session as SignInSession } from './session.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Sessions apart from a reply: list, verify, delete. */
    gosesh: SessionManager
    /**
     * A hook that answers 401 to a request without a session. It exists once the plugin has loaded; the exported
     * `requireSession` and `config.session.required` guard a route whatever the order of registration.
     */
    requireSession: (request: Pick<FastifyRequest, 'requireSession'>) => Promise<void>
    /**
     * Makes a hook that demands a sign-in or re-authentication at most `maxAge` milliseconds ago, for example before a change
     * of password (OWASP ASVS 7.5.1). `config.session.signedInWithin` does the same. It answers 401: `GOSESH_ERR_UNAUTHENTICATED` without a session, `GOSESH_ERR_SIGN_IN_NOT_RECENT` with an
     * older one, or one from the future. Throws `GOSESH_ERR_OPTION`.
     */
    requireRecentSignIn: (
      maxAge: number,
    ) => (request: Pick<FastifyRequest, 'requireSession'>) => Promise<void>
  }

  interface FastifyRequest {
    /**
     * The data of the session. Without one it is empty, and a write rejects with 401 `GOSESH_ERR_UNAUTHENTICATED`. It needs a
     * store with the methods of `SessionDataStore`, else each call rejects with `GOSESH_ERR_STORE_CAPABILITY`.
     */
    readonly sessionData: SessionDataAccess
    /** The session, or throws 401 `GOSESH_ERR_UNAUTHENTICATED`. */
    requireSession(): SignInSession
  }

  interface FastifyReply {
    /**
     * Creates a session, writes its credential, and deletes the session that the same credential presented. Await it before
     * the reply is sent, streamed or hijacked. Rejects with `GOSESH_ERR_REPLY_SENT` if the reply was sent or the client hung
     * up, with 403 `GOSESH_ERR_CROSS_ORIGIN` for a request of an unsafe method from a page of another origin, with 503 if
     * the store fails (`GOSESH_ERR_STORE_FULL` if it is full), with 409 `GOSESH_ERR_TOO_MANY_SESSIONS` if
     * `maxSessionsPerUser` refuses, with `GOSESH_ERR_CREDENTIAL_NOT_WRITABLE` if no credential can be written, and
     * with `GOSESH_ERR_USER_ID` (400 for a string), `GOSESH_ERR_METADATA` or `GOSESH_ERR_OPTION` on bad input.
     */
    signIn(userId: string, options?: SignInOptions): Promise<SignInSession>
    /**
     * For a user who has just proved again who they are: the same session with a new token, whose old one is no good any more.
     * `authenticatedAt` is now, the given factors are added, and the absolute deadline starts again (NIST SP 800-63B-4, section
     * 5.2); id, metadata, lifetimes and the cookie's persistence stay. Await it before the reply is sent. Rejects with 401
     * `GOSESH_ERR_UNAUTHENTICATED` without a verified session of a cookie (or of another credential that can be written), and if
     * another request re-authenticated the session first; with 503 if the store fails, and then the old token goes on; with
     * `GOSESH_ERR_STORE_CAPABILITY` if the store cannot update sessions; else as `signIn`.
     */
    reauthenticate(options?: ReplyReauthenticateOptions): Promise<SignInSession>
    /**
     * Deletes the session, or with `everywhere` all sessions of the user, then clears the credential, even if there is no
     * session. Rejects with 403
     * `GOSESH_ERR_CROSS_ORIGIN` for a request of an unsafe method with a cookie from a page of another origin, with 503 if
     * the store fails, and with `GOSESH_ERR_OPTION` on a wrong option.
     */
    signOut(options?: SignOutOptions): Promise<void>
  }

  interface FastifyContextConfig {
    /** `false`: no session work at all on this route. */
    session?: false | RouteSessionOptions | undefined
  }
}
