import type { FastifyReply, FastifyRequest } from 'fastify'
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

  /** The `onRequest` hook. An anonymous request is answered in the same turn, without a promise. */
  readonly onRequest = (
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    done: (error?: Error) => void,
  ): Promise<void> | void => {
    // A context inside this one that registered gosesh before has sessions of its own, and hears this hook too.
    if (request.server.gosesh !== this.#parts.manager) return done()
    // A context that was there before gosesh hears the hook but was not given the decorated properties.
    request.session = null
    request[verifiedBy] = null
    let work: Promise<void> | null
    try {
      work = this.#admit(request, reply)
    } catch (error) {
      return done(error as Error)
    }
    return work === null ? done() : work
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

  #admit(request: FastifyRequest, reply: FastifyReply): Promise<void> | null {
    const { enabled, required, activity } = routePolicy(request.routeOptions.config?.session)
    if (!enabled) return null
    const presented = resolveCredential(this.#parts.credentials, request)
    if (presented !== null) return this.#verify(request, reply, presented, { required, activity })
    if (required) throw this.#refuse(request, reply)
    return null
  }

  async #verify(
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    { credential, token }: Presented,
    { required, activity }: Pick<RoutePolicy, 'required' | 'activity'>,
  ): Promise<void> {
    const { verifier, clock, crossOrigin, events } = this.#parts
    // Known before the session is, so that a request which will be refused keeps nothing alive.
    const refused = isAmbient(credential) && crossOrigin.refuses(request)
    const session = await verifier.verify(token, clock.now(), activity && !refused)
    if (session === null) {
      if (required) throw this.#refuse(request, reply)
      return
    }
    request[verifiedBy] = credential
    if (refused) throw crossOriginError(request, session, events)
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
