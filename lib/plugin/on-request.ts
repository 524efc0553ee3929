import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { SessionManager } from '../../types/manager.js'
import type { Clock } from '../../types/options.js'
import type { Session } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { isRecent } from '../core/timing.js'
import { checkLifetime } from '../core/validation.js'
import { isAmbient, verifiedBy } from '../core/verified-by.js'
import { type Presented, resolveCredential } from '../credentials/resolve.js'
import type { SessionEvents } from '../session/events.js'
import { sessionOf, type Verdict, type VerdictListener, type Verifier } from '../session/verifier.js'
import { type CrossOriginPolicy, crossOriginError } from './origin-check.js'
import type { RoutePolicies, RoutePolicy } from './route-options.js'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** What the guard hands its work to. */
export interface GuardParts {
  readonly routePolicies: RoutePolicies
  readonly manager: SessionManager
  readonly credentials: readonly Credential[]
  readonly verifier: Verifier
  readonly clock: Clock
  readonly events: SessionEvents
  readonly crossOrigin: CrossOriginPolicy
  readonly bindSessionToLog: boolean
}

/** A request with a token, until its session is known. */
class Arrival implements VerdictListener {
  readonly #guard: RequestGuard
  readonly #done: HookHandlerDoneFunction
  readonly request: Writable<FastifyRequest>
  readonly reply: FastifyReply
  readonly presented: Presented
  readonly policy: RoutePolicy
  /** Known before the session is, so that a request which will be refused keeps nothing alive. */
  readonly refused: boolean

  constructor(
    guard: RequestGuard,
    done: HookHandlerDoneFunction,
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    presented: Presented,
    policy: RoutePolicy,
    refused: boolean,
  ) {
    this.#guard = guard
    this.#done = done
    this.request = request
    this.reply = reply
    this.presented = presented
    this.policy = policy
    this.refused = refused
  }

  onVerdict(verdict: Verdict): void {
    this.#done(this.#guard.settle(this, sessionOf(verdict)))
  }

  onFailure(error: unknown): void {
    this.#done(error as Error)
  }
}

/** What the plugin does when a request arrives. */
export class RequestGuard {
  readonly #parts: GuardParts
  readonly #challenge: string | null

  constructor(parts: GuardParts) {
    this.#parts = parts
    this.#challenge = parts.credentials.find((credential) => credential.challenge !== null)?.challenge ?? null
  }

  /** The `onRequest` hook. A request that need not wait for the store is answered in the same turn. */
  readonly onRequest = (
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ): void => {
    const { manager, verifier, clock } = this.#parts
    let arrival: Arrival | null = null
    let error: Error | undefined
    try {
      // A context inside this one that registered gosesh before has sessions of its own, and hears this hook too.
      if (request.server.gosesh === manager) arrival = this.#begin(request, reply, done)
    } catch (thrown) {
      error = thrown as Error
    }
    // Outside of what catches: the rest of the request runs inside of `done`.
    if (arrival === null) done(error)
    else
      verifier.verify(
        arrival.presented.token,
        clock.now(),
        arrival.policy.activity && !arrival.refused,
        arrival,
      )
  }

  /** The hook of `app.requireRecentSignIn(maxAge)`. */
  requireRecentSignIn(maxAge: number): (request: Pick<FastifyRequest, 'requireSession'>) => Promise<void> {
    const limit = checkLifetime('requireRecentSignIn', maxAge)
    const challenge = `${this.#challenge} error="insufficient_user_authentication", max_age=${Math.floor(limit / 1_000)}`
    // RFC 9470, section 3.
    const options = this.#challenge === null ? {} : { headers: { 'www-authenticate': challenge } }
    return async (request) => {
      if (isRecent(request.requireSession().createdAt, this.#parts.clock.now(), limit)) return
      throw new GoseshError('GOSESH_ERR_SIGN_IN_NOT_RECENT', options)
    }
  }

  /** The session of the request, or throws 401 `GOSESH_ERR_UNAUTHENTICATED`. */
  requireSession(request: FastifyRequest): Session {
    if (request.session) return request.session
    throw this.#unauthenticated(request)
  }

  /** Gives the request its session, or returns what refuses it. */
  settle(arrival: Arrival, session: Session | null): Error | undefined {
    try {
      if (session !== null) this.#admit(arrival, session)
      else if (isRequired(arrival.policy, arrival.request))
        return this.#refuse(arrival.request, arrival.reply)
    } catch (thrown) {
      return thrown as Error
    }
    return undefined
  }

  /** The request, if the store is to be asked for its session. Throws what refuses it. */
  #begin(
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ): Arrival | null {
    // A context that was there before gosesh hears the hook but was not given the decorated properties.
    request.session = null
    request[verifiedBy] = null
    const policy = this.#parts.routePolicies.of(request.routeOptions.config?.session)
    const presented = policy.enabled ? resolveCredential(this.#parts.credentials, request) : null
    if (presented !== null) {
      const refused = isAmbient(presented.credential) && this.#parts.crossOrigin.refuses(request)
      return new Arrival(this, done, request, reply, presented, policy, refused)
    }
    if (isRequired(policy, request)) throw this.#refuse(request, reply)
    return null
  }

  /** Throws 403 `GOSESH_ERR_CROSS_ORIGIN` if the request is refused. */
  #admit({ request, reply, presented, refused }: Arrival, session: Session): void {
    request[verifiedBy] = presented.credential
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

/** An address that no route has stays 404, also if every route wants a session. */
function isRequired(policy: RoutePolicy, request: FastifyRequest): boolean {
  return policy.required && !request.is404
}

/** Every log line of the request from here on says whose it is, Fastify's own `request completed` too. */
function bindToLog(request: FastifyRequest, reply: FastifyReply, { id, userId }: Session): void {
  request.log = request.log.child({ sessionId: id, userId })
  reply.log = request.log
}
