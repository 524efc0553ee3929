import type { FastifyReply, FastifyRequest } from 'fastify'
import type { DeviceRefusalReason } from '../../types/device-binding.js'
import type { Clock } from '../../types/options.js'
import type { SessionId } from '../../types/session.js'
import type { DeviceKey } from '../core/details.js'
import { GoseshError } from '../core/errors.js'
import { isSessionId } from '../core/token.js'
import type { BoundCookie } from './bound-cookie.js'
import { challengeHeader, registrationHeader, textOf } from './headers.js'
import type { DeviceBindingSettings } from './options.js'
import type { ProofVerifier } from './proofs.js'
import type { SignedFor, SignedValues } from './signed-values.js'

/** The keys of sessions, wherever they are kept. Each rejects with 503 if the store cannot answer. */
export interface DeviceKeys {
  /** The key of a live session; `null` if the session has none, or has ended. */
  find(id: SessionId): Promise<DeviceKey | null>
  /** Binds a live session once and for all; `null`: there is none. */
  bind(id: SessionId, key: DeviceKey): Promise<'bound' | 'same' | 'taken' | null>
}

/** Why an endpoint refused, for the diagnostics; the client is told the status alone. */
export class DeviceRefusal extends GoseshError {
  readonly reason: DeviceRefusalReason
  readonly sessionId: SessionId | null

  constructor(
    reason: DeviceRefusalReason,
    sessionId: SessionId | null,
    headers?: Readonly<Record<string, string>>,
  ) {
    // A browser drops its key for a 401, and tries again for a 403 with a challenge.
    super('GOSESH_ERR_DEVICE_PROOF', headers === undefined ? {} : { statusCode: 403, headers })
    this.reason = reason
    this.sessionId = sessionId
  }
}

/** What the browser is told of the session that it binds. */
interface Instructions {
  readonly session_identifier: SessionId
  readonly [key: string]: unknown
}

/** Milliseconds for which a challenge is good. */
const challengeLifetime = 60_000

/** What a browser that binds a session asks for. */
export class DeviceEndpoints {
  readonly #settings: Pick<DeviceBindingSettings, 'path' | 'allowedRefreshInitiators'>
  readonly #clock: Clock
  readonly #keys: DeviceKeys
  readonly #values: SignedValues
  readonly #verifier: ProofVerifier
  /** The session that the cookie of a request names, proved or not. */
  readonly #presented: (request: FastifyRequest, cookie: BoundCookie) => SessionId | null

  constructor(
    settings: Pick<DeviceBindingSettings, 'path' | 'allowedRefreshInitiators'>,
    clock: Clock,
    keys: DeviceKeys,
    values: SignedValues,
    verifier: ProofVerifier,
    presented: (request: FastifyRequest, cookie: BoundCookie) => SessionId | null,
  ) {
    this.#settings = settings
    this.#clock = clock
    this.#keys = keys
    this.#values = values
    this.#verifier = verifier
    this.#presented = presented
  }

  /** The header that asks the browser to bind the session. */
  offer(id: SessionId, cookie: BoundCookie): string {
    const challenge = this.#values.sign('registration', id, this.#clock.now())
    return registrationHeader(`${this.#settings.path}${cookie.query}`, challenge)
  }

  /** Binds the session to the key that the browser sends. */
  async register(request: FastifyRequest, reply: FastifyReply, cookie: BoundCookie): Promise<Instructions> {
    const proof = textOf(request.headers['secure-session-response'])
    if (proof === null) throw new DeviceRefusal('header', null)
    const verified = await this.#verifier.verifyRegistration(proof)
    if (verified === null) throw new DeviceRefusal('proof', null)
    const now = this.#clock.now()
    const id = this.#challenged('registration', verified.challenge, now)
    this.#checkCookie(request, cookie, id)
    const result = await this.#keys.bind(id, { ...verified.key, boundAt: now })
    if (result === null) throw new DeviceRefusal('session', id)
    if (result === 'taken') throw new DeviceRefusal('key', id)
    return this.#prove(reply, cookie, id)
  }

  /** A new proof for a browser that shows that it still holds the key. */
  async refresh(request: FastifyRequest, reply: FastifyReply, cookie: BoundCookie): Promise<Instructions> {
    const id = textOf(request.headers['sec-secure-session-id'])
    if (!isSessionId(id)) throw new DeviceRefusal('header', null)
    this.#checkCookie(request, cookie, id)
    const header = request.headers['secure-session-response']
    const proof = textOf(header)
    if (proof === null && header !== undefined) throw new DeviceRefusal('header', id)
    const key = await this.#keys.find(id)
    if (key === null) throw new DeviceRefusal('session', id)
    if (proof === null) throw this.#challenge('challenged', id)
    const answered = await this.#verifier.verifyRefresh(proof, key)
    if (answered === null) throw new DeviceRefusal('proof', id)
    if (this.#challenged('refresh', answered, this.#clock.now(), id) !== id)
      throw new DeviceRefusal('challenge', id)
    return this.#prove(reply, cookie, id)
  }

  /** The session of a challenge that this server made, for this purpose, a moment ago. */
  #challenged(purpose: SignedFor, challenge: string, now: number, id: SessionId | null = null): SessionId {
    const verified = this.#values.verify(purpose, challenge, now, challengeLifetime)
    if (typeof verified !== 'string') return verified.id
    // A new one will do for a browser that took too long, or for a clock that stepped.
    if (verified === 'expired' && id !== null) throw this.#challenge('stale', id)
    throw new DeviceRefusal(verified === 'expired' ? 'stale' : 'challenge', id)
  }

  #challenge(reason: 'challenged' | 'stale', id: SessionId): DeviceRefusal {
    const challenge = this.#values.sign('refresh', id, this.#clock.now())
    return new DeviceRefusal(reason, id, { 'secure-session-challenge': challengeHeader(id, challenge) })
  }

  /** The browser may leave the cookie out. One of another session shows that this one was replaced. */
  #checkCookie(request: FastifyRequest, cookie: BoundCookie, id: SessionId): void {
    const presented = this.#presented(request, cookie)
    if (presented !== null && presented !== id) throw new DeviceRefusal('cookie', id)
  }

  #prove(reply: FastifyReply, cookie: BoundCookie, id: SessionId): Instructions {
    cookie.write(reply, id, this.#clock.now())
    const { path, allowedRefreshInitiators } = this.#settings
    return {
      session_identifier: id,
      refresh_url: `${path}/refresh${cookie.query}`,
      scope: { include_site: false },
      credentials: [{ type: 'cookie', name: cookie.name, attributes: cookie.attributes }],
      allowed_refresh_initiators: allowedRefreshInitiators,
    }
  }
}
