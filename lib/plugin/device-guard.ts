import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { DeviceRefusalMessage } from '../../types/device-binding.js'
import type { Clock } from '../../types/options.js'
import type { Session, SessionId } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { sessionIdOf } from '../core/token.js'
import { readToken } from '../credentials/resolve.js'
import type { BoundCookie, Proof } from '../device-binding/bound-cookie.js'
import { saysUnreachable } from '../device-binding/headers.js'
import type { Verification } from '../session/verifier.js'
import { forbidCaching, varyBy } from './cache-headers.js'

/** Requests that carry the token of a bound session and no proof. */
const unproved = new WeakSet<FastifyRequest>()

/** True for a request that has no session only because it did not prove to come from the device. */
export function lacksProof(request: FastifyRequest): boolean {
  return unproved.has(request)
}

/** Milliseconds after the registration in which requests come without a proof that the browser sent before it had one. */
const registrationGrace = 5_000

/** What the guard needs of the rest. */
interface DeviceGuardSource {
  readonly clock: Clock
  readonly cookies: readonly BoundCookie[]
  /** When the session was bound; `null`: it is not, or has ended. */
  boundAt(id: SessionId): Promise<number | null>
  refused(message: DeviceRefusalMessage, reqId: string): void
}

/** Wants the proof of bound sessions. */
export class DeviceGuard {
  readonly #source: DeviceGuardSource

  constructor(source: DeviceGuardSource) {
    this.#source = source
  }

  /** Reads nothing from the store. A credential without a bound cookie carries no proof: a bound token is good in its cookie only. */
  proofOf(request: FastifyRequest, credential: Credential, id: SessionId): Proof {
    const { cookies, clock } = this.#source
    return this.#cookieOf(cookies, credential)?.proofOf(request, id, clock.now()) ?? 'none'
  }

  /** The same session if it needs no proof, or has it; else as good as one that has expired. */
  proved(request: FastifyRequest, credential: Credential, verification: Verification): Verification {
    if (typeof verification === 'string' || !verification.deviceBound) return verification
    return this.proofOf(request, credential, verification.id) === 'valid' ? verification : 'expired'
  }

  /**
   * `session`: the request may go on with its session, as the browser sent it before it knew of its registration. `visitor`: it
   * goes on without. `answered`: it is to come again. Rejects with 503 if the browser could not refresh because the server did not answer.
   */
  async admits(
    request: FastifyRequest,
    reply: FastifyReply,
    { id, userId }: Session,
    credential: Credential,
    proof: Exclude<Proof, 'valid'>,
  ): Promise<'session' | 'visitor' | 'answered'> {
    const cookie = this.#cookieOf(this.#source.cookies, credential)
    if (proof === 'none' && cookie !== undefined && (await this.#hasJustRegistered(id))) return 'session'
    const isUnreachable = saysUnreachable(request.headers['secure-session-skipped'])
    const reason = isUnreachable ? 'unreachable' : proof
    this.#source.refused({ reason, sessionId: id, userId }, request.id)
    unproved.add(request)
    forbidCaching(reply)
    varyBy(reply, [credential.header])
    // With a cookie that looks good to it the browser would never refresh.
    if (proof !== 'none') cookie?.clear(reply)
    if (isUnreachable) {
      const message = 'The browser could not reach this server to prove that it holds its key; try again'
      throw new GoseshError('GOSESH_ERR_DEVICE_PROOF', { statusCode: 503, message })
    }
    if (proof === 'none' || !isNavigation(request)) return 'visitor'
    reply.redirect(itself(request.originalUrl), 307)
    return 'answered'
  }

  /** The route demands a bound session, and this one is not. */
  noteUnbound({ id: reqId }: FastifyRequest, { id, userId }: Session): void {
    this.#source.refused({ reason: 'unbound', sessionId: id, userId }, reqId)
  }

  /** The session that the cookie beside the bound one names. */
  static presented(request: FastifyRequest, { credential }: BoundCookie): SessionId | null {
    const token = readToken(credential, request)
    return token === null ? null : sessionIdOf(token)
  }

  #cookieOf(cookies: readonly BoundCookie[], credential: Credential): BoundCookie | undefined {
    return cookies.find((cookie) => cookie.credential === credential)
  }

  async #hasJustRegistered(id: SessionId): Promise<boolean> {
    const boundAt = await this.#source.boundAt(id)
    return boundAt !== null && Math.abs(this.#source.clock.now() - boundAt) < registrationGrace
  }
}

function isNavigation({ method, headers }: FastifyRequest): boolean {
  return method === 'GET' && headers['sec-fetch-mode'] === 'navigate'
}

/** The same address, relative to itself: behind a proxy that cuts a prefix the path is another, and `//` begins a host. */
function itself(url: string): string {
  const query = url.indexOf('?')
  const path = query === -1 ? url : url.slice(0, query)
  const last = path.slice(path.lastIndexOf('/') + 1)
  return `./${last}${query === -1 ? '' : url.slice(query)}`
}
