import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { SessionManager } from '../../types/manager.js'
import type { Session } from '../../types/session.js'
import type { GoseshError } from '../core/errors.js'
import { sessionAs } from '../core/internals.js'
import { isPromise, isRecent } from '../core/timing.js'
import { sessionIdOf } from '../core/token.js'
import { checkLifetime } from '../core/validation.js'
import { fromCache, isAmbient, verifiedBy } from '../core/verified-by.js'
import { type Presented, resolveCredential } from '../credentials/resolve.js'
import type { Proof } from '../device-binding/bound-cookie.js'
import type { Settings } from '../options/options.js'
import type { SessionServices } from '../session/services.js'
import { type CountsAsActivity, sessionOf, type Verification } from '../session/verifier.js'
import type { Challenges } from './challenges.js'
import type { DeviceGuard } from './device-guard.js'
import { crossOriginError, type OriginCheck } from './origin-check.js'
import { type Demands, mayUseCache, type RouteOptions, type RouteOptionsParser } from './route-options.js'

/** True if the request was answered already. */
type Answered = boolean | undefined

/** The `onRequest` hook, and the hooks that demand a session. */
export class RequestGuard {
  readonly #settings: Settings
  readonly #services: SessionServices
  readonly #sessions: SessionManager
  readonly #originCheck: OriginCheck
  readonly #routes: RouteOptionsParser
  readonly #challenges: Challenges
  readonly #devices: DeviceGuard | null

  constructor(
    settings: Settings,
    services: SessionServices,
    sessions: SessionManager,
    originCheck: OriginCheck,
    routes: RouteOptionsParser,
    challenges: Challenges,
    devices: DeviceGuard | null,
  ) {
    this.#settings = settings
    this.#services = services
    this.#sessions = sessions
    this.#originCheck = originCheck
    this.#routes = routes
    this.#challenges = challenges
    this.#devices = devices
  }

  /** With a store that has the answer at hand the request goes on in the same turn. */
  readonly onRequest = (
    request: FastifyRequest,
    reply: FastifyReply,
    done: HookHandlerDoneFunction,
  ): void => {
    let verified: Promise<Answered> | undefined
    let error: Error | undefined
    try {
      // A context inside this one that registered gosesh before has sessions of its own, and hears this hook too.
      if (request.server.gosesh === this.#sessions) verified = this.#verify(request, reply)
    } catch (thrown) {
      error = thrown as Error
    }
    // Outside of `try`: the rest of the request runs inside of `done`.
    if (verified === undefined) done(error)
    else verified.then((answered) => answered || done(), done)
  }

  /** The hook of `app.requireRecentSignIn(maxAge)`. */
  requireRecentSignIn(maxAge: number): (request: Pick<FastifyRequest, 'requireSession'>) => Promise<void> {
    const signedInWithin = checkLifetime('requireRecentSignIn', maxAge)
    return async (request) => {
      await this.#readAgain(request as FastifyRequest)
      const refusal = this.#refusal(request.requireSession(), {
        signedInWithin,
        factors: [],
        deviceBound: false,
      })
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
  #verify(request: FastifyRequest, reply: FastifyReply): Promise<Answered> | undefined {
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
    const proof = this.#devices?.proofOf(request, credential, sessionIdOf(token)) ?? 'valid'
    const activity: CountsAsActivity =
      route.activity &&
      !crossOrigin &&
      ((demands === null && proof === 'valid') ||
        ((session) =>
          (proof === 'valid' || !session.deviceBound) &&
          (demands === null || this.#refusal(session, demands) === null)))
    const settle = (settled: Verification): Promise<Answered> | undefined => {
      const session = sessionOf(settled)
      if (session === null) this.#admitVisitor(request, reply, route)
      else if (crossOrigin || proof === 'valid' || !session.deviceBound)
        this.#admit(request, reply, session, credential, crossOrigin, demands)
      else return this.#admitUnproved(request, reply, session, presented, proof, route)
      return undefined
    }
    const { cached, verifier } = this.#services
    // Never if it takes the session to say whether the request counts as activity, as with demands and without a proof.
    if (cached !== null && typeof activity === 'boolean' && mayUseCache(route, request.method)) {
      const session = cached.find(token, clock.now(), activity)
      request[fromCache] = session !== null
      if (session !== null) return settle(session)
    }
    const verification = verifier.verify(token, clock.now(), activity)
    return isPromise(verification) ? verification.then(settle) : settle(verification)
  }

  /** A bound session without its proof: nobody's request, unless the session was bound a moment ago. */
  async #admitUnproved(
    request: FastifyRequest,
    reply: FastifyReply,
    session: Session,
    { credential }: Presented,
    proof: Exclude<Proof, 'valid'>,
    route: RouteOptions,
  ): Promise<Answered> {
    request[verifiedBy] = credential
    const outcome = await this.#devices?.admits(request, reply, session, credential, proof)
    if (outcome === 'session') this.#admit(request, reply, session, credential, false, route.demands)
    if (outcome === 'visitor') this.#admitVisitor(request, reply, route)
    return outcome === 'answered'
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
    if (refusal === null) return
    if (refusal.code === 'GOSESH_ERR_DEVICE_PROOF') this.#devices?.noteUnbound(request, session)
    throw announced(reply, refusal)
  }

  #setSession(request: FastifyRequest, session: Session | null): void {
    const named = request as unknown as Record<string, Session | null>
    named[this.#settings.decorateAs] = session
  }

  /** Why the session is not what the route demands, or `null`. With both demands each factor has to be as recent. */
  #refusal({ authenticatedAt, factors, deviceBound }: Session, demands: Demands): GoseshError | null {
    const { signedInWithin } = demands
    if (demands.deviceBound && !deviceBound) return this.#challenges.notDeviceBound()
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
