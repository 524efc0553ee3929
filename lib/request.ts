import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../types/credential.js'
import type { SessionManager } from '../types/manager.js'
import type { Clock } from '../types/options.js'
import type { Session } from '../types/session.js'
import { type Presented, resolveCredential } from './credentials/resolve.js'
import { GoseshError } from './errors.js'
import { type RoutePolicy, routePolicy } from './route-policy.js'
import type { Verifier } from './session/verifier.js'

/** The credential that verified the request, or `null`. */
export const verifiedBy = Symbol('gosesh.verifiedBy')

declare module 'fastify' {
  interface FastifyRequest {
    [verifiedBy]: Credential | null
  }
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** What the plugin does when a request arrives. */
export class RequestGuard {
  readonly #manager: SessionManager
  readonly #credentials: readonly Credential[]
  readonly #verifier: Verifier
  readonly #clock: Clock
  readonly #challenge: string | null

  constructor(manager: SessionManager, credentials: readonly Credential[], verifier: Verifier, clock: Clock) {
    this.#manager = manager
    this.#credentials = credentials
    this.#verifier = verifier
    this.#clock = clock
    this.#challenge = credentials.find((credential) => credential.challenge !== null)?.challenge ?? null
  }

  /** The `onRequest` hook. An anonymous request is answered in the same turn, without a promise. */
  readonly onRequest = (
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    done: (error?: Error) => void,
  ): Promise<void> | void => {
    // A context inside this one that registered gosesh before has sessions of its own, and hears this hook too.
    if (request.server.gosesh !== this.#manager) return done()
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

  /** The session of the request, or throws 401 `GOSESH_ERR_UNAUTHENTICATED`. */
  requireSession(request: FastifyRequest): Session {
    if (request.session) return request.session
    throw this.#unauthenticated(request)
  }

  #admit(request: FastifyRequest, reply: FastifyReply): Promise<void> | null {
    const { enabled, required, activity } = routePolicy(request.routeOptions.config?.session)
    if (!enabled) return null
    const presented = resolveCredential(this.#credentials, request)
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
    request.session = await this.#verifier.verify(token, this.#clock.now(), activity)
    if (request.session !== null) request[verifiedBy] = credential
    else if (required) throw this.#refuse(request, reply)
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
      this.#credentials.filter((credential) => credential.challenge !== null),
      request,
    )
    const challenge = carried === null ? this.#challenge : `${this.#challenge} error="invalid_token"`
    return new GoseshError('GOSESH_ERR_UNAUTHENTICATED', { headers: { 'www-authenticate': challenge } })
  }
}
