import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { SessionManager } from '../../types/manager.js'
import type { Session } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { isPromise, isRecent } from '../core/timing.js'
import { checkLifetime } from '../core/validation.js'
import { isAmbient, verifiedBy } from '../core/verified-by.js'
import { resolveCredential } from '../credentials/resolve.js'
import type { Settings } from '../options/options.js'
import type { SessionServices } from '../session/services.js'
import { sessionOf, type Verification } from '../session/verifier.js'
import { crossOriginError, type OriginCheck } from './origin-check.js'
import type { RouteOptions, RouteOptionsParser } from './route-options.js'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** The `onRequest` hook, and the hooks that demand a session. */
export class RequestGuard {
  readonly #settings: Settings
  readonly #services: SessionServices
  readonly #sessions: SessionManager
  readonly #originCheck: OriginCheck
  readonly #routes: RouteOptionsParser
  readonly #challenge: string | null

  constructor(
    settings: Settings,
    services: SessionServices,
    sessions: SessionManager,
    originCheck: OriginCheck,
    routes: RouteOptionsParser,
  ) {
    this.#settings = settings
    this.#services = services
    this.#sessions = sessions
    this.#originCheck = originCheck
    this.#routes = routes
    this.#challenge =
      settings.credentials.find((credential) => credential.challenge !== null)?.challenge ?? null
  }

  /** With a store that has the answer at hand the request goes on in the same turn. */
  readonly onRequest = (
    request: Writable<FastifyRequest>,
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
    const limit = checkLifetime('requireRecentSignIn', maxAge)
    const challenge = `${this.#challenge} error="insufficient_user_authentication", max_age=${Math.floor(limit / 1_000)}`
    // RFC 9470, section 3.
    const options = this.#challenge === null ? {} : { headers: { 'www-authenticate': challenge } }
    return async (request) => {
      if (isRecent(request.requireSession().createdAt, this.#settings.clock.now(), limit)) return
      throw new GoseshError('GOSESH_ERR_SIGN_IN_NOT_RECENT', options)
    }
  }

  /** The session of the request, or throws 401 `GOSESH_ERR_UNAUTHENTICATED`. */
  requireSession(request: FastifyRequest): Session {
    if (request.session) return request.session
    throw this.#unauthenticated(request)
  }

  /** Gives the request its session. Throws, or rejects with, what refuses it. */
  #verify(request: Writable<FastifyRequest>, reply: FastifyReply): Promise<void> | undefined {
    // A context that was there before gosesh hears the hook but was not given the decorated properties.
    request.session = null
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
    const activity = route.activity && !crossOrigin
    const verification = this.#services.verifier.verify(token, clock.now(), activity)
    const settle = (settled: Verification): void => {
      const session = sessionOf(settled)
      if (session === null) this.#admitVisitor(request, reply, route)
      else this.#admit(request, reply, session, credential, crossOrigin)
    }
    if (isPromise(verification)) return verification.then(settle)
    settle(verification)
    return undefined
  }

  /** Throws 403 `GOSESH_ERR_CROSS_ORIGIN` if a page of another origin sent the request. */
  #admit(
    request: Writable<FastifyRequest>,
    reply: FastifyReply,
    session: Session,
    credential: Credential,
    crossOrigin: boolean,
  ): void {
    request[verifiedBy] = credential
    if (crossOrigin) throw crossOriginError(request, session, this.#services.events)
    request.session = session
    if (this.#settings.bindSessionToLog) bindToLog(request, reply, session)
  }

  /** Throws 401 `GOSESH_ERR_UNAUTHENTICATED` if the route wants a session. An address without a route stays 404. */
  #admitVisitor(request: FastifyRequest, reply: FastifyReply, route: RouteOptions): void {
    if (!route.required || request.is404) return
    const error = this.#unauthenticated(request)
    // The header is set here too, for an error handler that writes a reply of its own.
    reply.headers(error.headers ?? {})
    throw error
  }

  /** RFC 6750, section 3: if the request carried a token, the challenge says that it is not valid. */
  #unauthenticated(request: FastifyRequest): GoseshError {
    if (this.#challenge === null) return new GoseshError('GOSESH_ERR_UNAUTHENTICATED')
    const carried = resolveCredential(
      this.#settings.credentials.filter((credential) => credential.challenge !== null),
      request,
    )
    const challenge = carried === null ? this.#challenge : `${this.#challenge} error="invalid_token"`
    return new GoseshError('GOSESH_ERR_UNAUTHENTICATED', { headers: { 'www-authenticate': challenge } })
  }
}

/** Adds the session to every log line of the request from here on, Fastify's own `request completed` too. */
function bindToLog(request: FastifyRequest, reply: FastifyReply, { id, userId }: Session): void {
  request.log = request.log.child({ sessionId: id, userId })
  reply.log = request.log
}
