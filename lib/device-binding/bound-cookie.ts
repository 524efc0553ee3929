import type { CookieSerializeOptions } from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { SessionId } from '../../types/session.js'
import { attributesOf, cookieValue } from '../core/cookies.js'
import { optionError } from '../core/validation.js'
import type { SignedValues } from './signed-values.js'

/** What a request shows of the key. `none`: no proof at all. `wrong`: of another session, or nobody's. */
export type Proof = 'valid' | 'none' | 'expired' | 'wrong'

/** Milliseconds by which the browser lets go of the cookie sooner, so that a request under way is not late. */
const headStart = 10_000

/** The short-lived second cookie beside the cookie of a session: it shows that the browser has proved to hold the key. */
export class BoundCookie {
  readonly credential: Credential
  readonly name: string
  /** What tells its endpoints from those of another cookie. */
  readonly query: string
  /** As the browser has to find them in `Set-Cookie`. */
  readonly attributes: string
  readonly #options: CookieSerializeOptions
  readonly #values: SignedValues
  readonly #lifetime: number

  constructor(
    credential: Credential,
    options: CookieSerializeOptions,
    values: SignedValues,
    lifetime: number,
    query: string,
  ) {
    this.credential = credential
    this.name = `${credential.cookieName}-bound`
    this.query = query
    this.#options = options
    this.#values = values
    this.#lifetime = lifetime
    const sameSite = String(options.sameSite)
    this.attributes = `Path=${options.path}; Secure; HttpOnly; SameSite=${sameSite.charAt(0).toUpperCase()}${sameSite.slice(1)}`
  }

  isPresented(request: FastifyRequest): boolean {
    return this.#read(request) !== null
  }

  proofOf(request: FastifyRequest, id: SessionId, now: number): Proof {
    const value = this.#read(request)
    if (value === null) return 'none'
    const verified = this.#values.verify('proof', value, now, this.#lifetime)
    if (typeof verified === 'string') return verified === 'expired' ? 'expired' : 'wrong'
    return verified.id === id ? 'valid' : 'wrong'
  }

  write(reply: FastifyReply, id: SessionId, now: number): void {
    const maxAge = Math.floor((this.#lifetime - headStart) / 1_000)
    reply.setCookie(this.name, this.#values.sign('proof', id, now), { ...this.#options, maxAge })
  }

  clear(reply: FastifyReply): void {
    reply.clearCookie(this.name, this.#options)
  }

  #read({ headers: { cookie } }: FastifyRequest): string | null {
    // Most requests have none, and a search costs less than looking at each cookie.
    return cookie?.includes(this.name) ? cookieValue(cookie, this.name) : null
  }
}

/** One for each cookie that gosesh writes; throws `GOSESH_ERR_OPTION` for a cookie that no browser would bind. */
export function boundCookiesOf(
  credentials: readonly Credential[],
  values: SignedValues,
  lifetime: number,
): readonly BoundCookie[] {
  const cookies: BoundCookie[] = []
  for (const credential of credentials) {
    const options = attributesOf(credential)
    if (options === null || credential.write === undefined) continue
    const { cookieName } = credential
    for (const [key, isWrong, expected] of [
      ['secure', !options.secure, 'true'],
      ['partitioned', options.partitioned, 'false'],
      ['domain', options.domain !== undefined, 'none, so that the cookie is of this host alone'],
    ] as const) {
      if (!isWrong) continue
      throw optionError(key, options[key], `${expected}, as deviceBinding binds the cookie ${cookieName}`)
    }
    const query = cookies.length === 0 ? '' : `?cookie=${encodeURIComponent(String(cookieName))}`
    cookies.push(new BoundCookie(credential, options, values, lifetime, query))
  }
  if (cookies.length > 0) return cookies
  const shown = credentials.map(({ name }) => name)
  throw optionError('credentials', shown, 'a cookieCredential() among them, as deviceBinding is given')
}
