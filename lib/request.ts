import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Credential } from '../types/credential.js'
import type { SessionManager } from '../types/manager.js'
import type { Clock } from '../types/options.js'
import type { Session } from '../types/session.js'
import { checkLifetime } from './check.js'
import { type Presented, resolveCredential } from './credentials/resolve.js'
import { type CrossOriginPolicy, crossOriginError, isAmbient } from './cross-origin.js'
import { GoseshError } from './errors.js'
import { type RoutePolicy, routePolicy } from './route-policy.js'
import type { SessionEvents } from './session/events.js'
import type { Verifier } from './session/verifier.js'

/** The credential that verified the request, or `null`. */
export const verifiedBy = Symbol('gosesh.verifiedBy')

declare module 'fastify' {
  interface FastifyRequest {
    [verifiedBy]: Credential | null
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** What the guard hands its work to. */
export interface GuardParts {
  readonly manager: SessionManager
  readonly credentials: readonly Credential[]
  readonly verifier: Verifier
  readonly clock: Clock
  readonly events: SessionEvents
  readonly crossOrigin: CrossOriginPolicy
  readonly bindSessionToLog: boolean
}

/** What the plugin does when a request arrives. */
export class RequestGuard {
  readonly #parts: GuardParts
  readonly #challenge: string | null

  constructor(parts: GuardParts) {
    this.#parts = parts
    this.#challenge = parts.credentials.find((credential) => credential.challenge !== null)?.challenge ?? null
  }

  /** The `onRequest` hook. An anonymous request is answered in the same turn. */
  readonly onRequest = (
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ): void => {
    let error: Error | undefined
    let asked = false
    try {
      // A context inside this one that registered gosesh before has sessions of its own, and hears this hook too.
      asked = request.server.gosesh === this.#parts.manager && this.#begin(request, reply, done)
    } catch (thrown) {
      error = thrown as Error
    }
    if (!asked) done(error)
  }

  /** The hook of `app.requireRecentSignIn(maxAge)`. */
  requireRecentSignIn(maxAge: number): (request: Pick<FastifyRequest, 'requireSession'>) => Promise<void> {
    const limit = checkLifetime('requireRecentSignIn', maxAge)
    const challenge = `${this.#challenge} error="insufficient_user_authentication", max_age=${Math.floor(limit / 1_000)}`
    // RFC 9470, section 3.
    const options = this.#challenge === null ? {} : { headers: { 'www-authenticate': challenge } }
    return async (request) => {
      const { createdAt } = request.requireSession()
      if (this.#parts.clock.now() - createdAt.getTime() <= limit) return
      throw new GoseshError('GOSESH_ERR_SIGN_IN_NOT_RECENT', options)
    }
  }

  /** The session of the request, or throws 401 `GOSESH_ERR_UNAUTHENTICATED`. */
  requireSession(request: FastifyRequest): Session {
    if (request.session) return request.session
    throw this.#unauthenticated(request)
  }

  /** Whether the store is asked, and calls `done`. Throws what refuses the request. */
  #begin(request: Writable<FastifyRequest>, reply: FastifyReply, done: HookHandlerDoneFunction): boolean {
    // A context that was there before gosesh hears the hook but was not given the decorated properties.
    request.session = null
    request[verifiedBy] = null
    const policy = routePolicy(request.routeOptions.config?.session)
    const presented = policy.enabled ? resolveCredential(this.#parts.credentials, request) : null
    if (presented !== null) this.#verify(request, reply, presented, policy, done)
    else if (policy.required) throw this.#refuse(request, reply)
    return presented !== null
  }

  #verify(
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    { credential, token }: Presented,
    { required, activity }: RoutePolicy,
    done: HookHandlerDoneFunction,
  ): void {
    const { verifier, clock, crossOrigin } = this.#parts
    // Known before the session is, so that a request which will be refused keeps nothing alive.
    const refused = isAmbient(credential) && crossOrigin.refuses(request)
    const onSession = (session: Session | null): void => {
      let error: Error | undefined
      try {
        if (session !== null) this.#admit(request, reply, session, credential, refused)
        else if (required) error = this.#refuse(request, reply)
      } catch (thrown) {
        error = thrown as Error
      }
      done(error)
    }
    verifier.verify(token, clock.now(), activity && !refused, onSession, done as (error: unknown) => void)
  }

  /** Throws 403 `GOSESH_ERR_CROSS_ORIGIN` where the request is refused. */
  #admit(
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    session: Session,
    credential: Credential,
    refused: boolean,
  ): void {
    request[verifiedBy] = credential
    if (refused) throw crossOriginError(request, session, this.#parts.events)
    request.session = session
    if (this.#parts.bindSessionToLog) bindToLog(request, reply, session)
  }

  /** The header is set here too, for an error handler that writes a reply of its own. */
  #refuse(request: FastifyRequest, reply: FastifyReply): GoseshError {
    const error = this.#unauthenticated(request)
    reply.headers(error.headers ?? {})
    return error
  }

  /** RFC 6750, section 3: a request that carried a token is told that it is not valid. */
  #unauthenticated(request: FastifyRequest): GoseshError {
    if (this.#challenge === null) return new GoseshError('GOSESH_ERR_UNAUTHENTICATED')
    const carried = resolveCredential(
      this.#parts.credentials.filter((credential) => credential.challenge !== null),
      request,
    )
    const challenge = carried === null ? this.#challenge : `${this.#challenge} error="invalid_token"`
    return new GoseshError('GOSESH_ERR_UNAUTHENTICATED', { headers: { 'www-authenticate': challenge } })
  }
}

/** Every log line of the request from here on says whose it is, Fastify's own `request completed` too. */
function bindToLog(request: FastifyRequest, reply: FastifyReply, { id, userId }: Session): void {
  request.log = request.log.child({ sessionId: id, userId })
  reply.log = request.log
}
