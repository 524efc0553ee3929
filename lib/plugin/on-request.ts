import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { SessionManager } from '../../types/manager.js'
import type { Session } from '../../types/session.js'
import type { GoseshError } from '../core/errors.js'
import { sessionAs } from '../core/internals.js'
import { isPromise, isRecent } from '../core/timing.js'
import { checkLifetime } from '../core/validation.js'
import { fromCache, isAmbient, verifiedBy } from '../core/verified-by.js'
import { resolveCredential } from '../credentials/resolve.js'
import type { Settings } from '../options/options.js'
import type { SessionServices } from '../session/services.js'
import { type CountsAsActivity, sessionOf, type Verification } from '../session/verifier.js'
import type { Challenges } from './challenges.js'
import { crossOriginError, type OriginCheck } from './origin-check.js'
import { type Demands, mayUseCache, type RouteOptions, type RouteOptionsParser } from './route-options.js'

/** The `onRequest` hook, and the hooks that demand a session. */
export class RequestGuard {
  readonly #settings: Settings
  readonly #services: SessionServices
  readonly #sessions: SessionManager
  readonly #originCheck: OriginCheck
  readonly #routes: RouteOptionsParser
  readonly #challenges: Challenges

  constructor(
    settings: Settings,
    services: SessionServices,
    sessions: SessionManager,
    originCheck: OriginCheck,
    routes: RouteOptionsParser,
    challenges: Challenges,
  ) {
    this.#settings = settings
    this.#services = services
    this.#sessions = sessions
    this.#originCheck = originCheck
    this.#routes = routes
    this.#challenges = challenges
  }

  /** With a store that has the answer at hand the request goes on in the same turn. */
  readonly onRequest = (
    request: FastifyRequest,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ): void => {
    let verified: Promise<void> | undefined
    let error: Error | undefined
    try {
      // A context inside this one that registered gosesh before has sessions of its own, and hears this hook too.
      if (request.server.gosesh === this.#sessions) verified = this.#verify(request, reply)
    } catch (thrown) {
      error = thrown as Error
    }
    // Outside of `try`: the rest of the request runs inside of `done`.
    if (verified === undefined) done(error)
    else verified.then(() => done(), done)
  }

  /** The hook of `app.requireRecentSignIn(maxAge)`. */
  requireRecentSignIn(maxAge: number): (request: Pick<FastifyRequest, 'requireSession'>) => Promise<void> {
    const signedInWithin = checkLifetime('requireRecentSignIn', maxAge)
    return async (request) => {
      await this.#readAgain(request as FastifyRequest)
      const refusal = this.#refusal(request.requireSession(), { signedInWithin, factors: [] })
      if (refusal !== null) throw refusal
    }
  }

  /** The session of the request, or throws 401 `GOSESH_ERR_UNAUTHENTICATED`. */
  requireSession(request: FastifyRequest): Session {
    const session = sessionAs(request, this.#settings.decorateAs)
    if (session !== null) return session
    throw this.#challenges.unauthenticated(request)
  }

  /** Gives the request its session. Throws, or rejects with, what refuses it. */
  #verify(request: FastifyRequest, reply: FastifyReply): Promise<void> | undefined {
    // A context that was there before gosesh hears the hook but was not given the decorated properties.
    this.#setSession(request, null)
    request[verifiedBy] = null
    const { credentials, clock } = this.#settings
    const route = this.#routes.parse(request.routeOptions.config?.session)
    const presented = route.enabled ? resolveCredential(credentials, request) : null
    if (presented === null) {
      this.#admitVisitor(request, reply, route)
      return undefined
    }
    const { credential, token } = presented
    const crossOrigin = isAmbient(credential) && this.#originCheck.refuses(request)
    // A request that will be refused keeps nothing alive.
    const { demands } = route
    const activity: CountsAsActivity =
      route.activity &&
      !crossOrigin &&
      (demands === null || ((session) => this.#refusal(session, demands) === null))
    const settle = (settled: Verification): void => {
      const session = sessionOf(settled)
      if (session === null) this.#admitVisitor(request, reply, route)
      else this.#admit(request, reply, session, credential, crossOrigin, demands)
    }
    const { cached, verifier } = this.#services
    // Never with demands, which say by a function if the request counts as activity.
    if (cached !== null && typeof activity === 'boolean' && mayUseCache(route, request.method)) {
      const session = cached.find(token, clock.now(), activity)
      request[fromCache] = session !== null
      if (session !== null) {
        settle(session)
        return undefined
      }
    }
    const verification = verifier.verify(token, clock.now(), activity)
    if (isPromise(verification)) return verification.then(settle)
    settle(verification)
    return undefined
  }

  /** Gives the request its session as the store has it now, if it was found in memory. */
  async #readAgain(request: FastifyRequest): Promise<void> {
    const { credentials, clock } = this.#settings
    const presented = request[fromCache] ? resolveCredential(credentials, request) : null
    if (presented === null) return
    const verification = await this.#services.verifier.verify(presented.token, clock.now(), false)
    this.#setSession(request, sessionOf(verification))
    request[fromCache] = false
  }

  /** Throws 403 if a page of another origin sent the request, and 401 if the session is not what the route demands. */
  #admit(
    request: FastifyRequest,
    reply: FastifyReply,
    session: Session,
    credential: Credential,
    crossOrigin: boolean,
    demands: Demands | null,
  ): void {
    request[verifiedBy] = credential
    if (crossOrigin) throw crossOriginError(request, session, this.#services.events)
    this.#setSession(request, session)
    if (this.#settings.bindSessionToLog) bindToLog(request, reply, session)
    const refusal = demands === null ? null : this.#refusal(session, demands)
    if (refusal !== null) throw announced(reply, refusal)
  }

  #setSession(request: FastifyRequest, session: Session | null): void {
    const named = request as unknown as Record<string, Session | null>
    named[this.#settings.decorateAs] = session
  }

  /** Why the session is not what the route demands, or `null`. With both demands each factor has to be as recent. */
  #refusal({ authenticatedAt, factors }: Session, demands: Demands): GoseshError | null {
    const { signedInWithin } = demands
    const now = this.#settings.clock.now()
    const isFresh = (at: Date): boolean => signedInWithin === null || isRecent(at, now, signedInWithin)
    if (signedInWithin !== null && !isFresh(authenticatedAt)) {
      return this.#challenges.signInNotRecent(signedInWithin)
    }
    const has = (method: string): boolean =>
      factors.some((factor) => factor.method === method && isFresh(factor.at))
    return demands.factors.every(has) ? null : this.#challenges.factorMissing(demands.factors)
  }

  /** Throws 401 `GOSESH_ERR_UNAUTHENTICATED` if the route wants a session. An address without a route stays 404. */
  #admitVisitor(request: FastifyRequest, reply: FastifyReply, route: RouteOptions): void {
    if (!route.required || request.is404) return
    throw announced(reply, this.#challenges.unauthenticated(request))
  }
}

/** The error, with its headers on the reply already, for an error handler that writes a reply of its own. */
function announced(reply: FastifyReply, error: GoseshError): GoseshError {
  reply.headers(error.headers ?? {})
  return error
}

/** Adds the session to every log line of the request from here on, Fastify's own `request completed` too. */
function bindToLog(request: FastifyRequest, reply: FastifyReply, { id, userId }: Session): void {
  request.log = request.log.child({ sessionId: id, userId })
  reply.log = request.log
}
