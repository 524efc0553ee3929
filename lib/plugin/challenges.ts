import type { FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import { GoseshError } from '../core/errors.js'
import { resolveCredential } from '../credentials/resolve.js'
import { lacksProof } from './device-guard.js'

/** The errors that answer 401, each with its challenge if a credential has an authentication scheme of HTTP. */
export class Challenges {
  readonly #credentials: readonly Credential[]
  readonly #scheme: string | null

  constructor(credentials: readonly Credential[]) {
    this.#credentials = credentials.filter(({ challenge }) => challenge !== null)
    this.#scheme = this.#credentials[0]?.challenge ?? null
  }

  /** RFC 6750, section 3: if the request carried a token, the challenge says that it is not valid. */
  unauthenticated(request: FastifyRequest): GoseshError {
    if (lacksProof(request)) return this.#error('GOSESH_ERR_DEVICE_PROOF', ' error="invalid_token"')
    const invalid = this.#scheme !== null && resolveCredential(this.#credentials, request) !== null
    return this.#error('GOSESH_ERR_UNAUTHENTICATED', invalid ? ' error="invalid_token"' : '')
  }

  /** RFC 9470, section 3. The user proved who they are longer ago than `maxAge` milliseconds. */
  signInNotRecent(maxAge: number): GoseshError {
    return this.#error('GOSESH_ERR_SIGN_IN_NOT_RECENT', stepUp(`max_age=${Math.floor(maxAge / 1_000)}`))
  }

  /** RFC 9470, section 3. These are methods of authentication that the session lacks. */
  factorMissing(factors: readonly string[]): GoseshError {
    return this.#error('GOSESH_ERR_FACTOR_MISSING', stepUp(`acr_values="${factors.join(' ')}"`))
  }

  /** The route demands a session that is bound to a device, and this one is not. */
  notDeviceBound(): GoseshError {
    const message = 'This needs a session that is bound to the device; sign in with a browser that can do it'
    return new GoseshError('GOSESH_ERR_DEVICE_PROOF', { message })
  }

  #error(code: GoseshError['code'], parameters: string): GoseshError {
    if (this.#scheme === null) return new GoseshError(code)
    return new GoseshError(code, { headers: { 'www-authenticate': `${this.#scheme}${parameters}` } })
  }
}

function stepUp(wanted: string): string {
  return ` error="insufficient_user_authentication", ${wanted}`
}
