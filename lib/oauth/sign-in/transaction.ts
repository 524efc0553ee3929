import type { CookieSerializeOptions } from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Clock } from '../../../types/options.js'
import type { SessionId } from '../../../types/session.js'
import { isSessionId } from '../../core/token.js'

/**
 * One sign-in at a provider, from the redirect there to the callback. It is kept in a cookie of the browser that began
 * it, in clear: the secrets are that browser's own, and no other site can read or write a `__Host-` cookie. Its user can
 * change what the answer is checked for, beside what the provider's own options demand, and make a sign-in a confirmation of
 * the user's own session: `authenticatedAt` and `factors` are what the provider says in any case, routes go by these, and
 * `onSignIn` is asked.
 */
export interface Transaction {
  readonly provider: string
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  readonly returnTo: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Milliseconds; what the answer is checked for. `null`: nothing was asked. */
  readonly maxAge: number | null
  /** The same; empty if nothing was asked. */
  readonly acrValues: readonly string[]
  /** The session that it confirms; `null`: it begins a new one. */
  readonly reauthenticates: SessionId | null
}

export interface TransactionSettings {
  /** The beginning of each cookie's name. */
  readonly name: string
  readonly secure: boolean
  /** Milliseconds. */
  readonly timeout: number
  readonly clock: Clock
}

/** A browser that begins more forgets the oldest: as many tabs as it may restore at once. */
const maxTransactions = 12
/** Characters of all of them together: servers and proxies refuse long headers, some from 8 KiB on. */
const maxCookieLength = 4_096
const idLength = 10

/** A cookie that is named like a transaction's; `transaction` is `null` if it cannot be read. */
interface KeptCookie {
  readonly name: string
  readonly length: number
  readonly startedAt: number
  readonly transaction: Transaction | null
}

function encode(transaction: Transaction): string {
  const { provider, state, nonce, verifier, returnTo, startedAt } = transaction
  const { maxAge, acrValues, reauthenticates } = transaction
  const fields = [provider, state, nonce, verifier, returnTo, startedAt, maxAge, acrValues, reauthenticates]
  return Buffer.from(JSON.stringify(fields)).toString('base64url')
}

const isText = (value: unknown): value is string => typeof value === 'string'

/** `null` for anything that `encode` did not make. */
function decode(value: string): Transaction | null {
  try {
    const fields: unknown = JSON.parse(Buffer.from(value, 'base64url').toString())
    if (!Array.isArray(fields)) return null
    const [provider, state, nonce, verifier, returnTo, startedAt, maxAge, acrValues, reauthenticates] = fields
    const isWhole =
      [provider, state, nonce, verifier, returnTo].every(isText) &&
      Number.isFinite(startedAt) &&
      (maxAge === null || Number.isFinite(maxAge)) &&
      Array.isArray(acrValues) &&
      acrValues.every(isText) &&
      (reauthenticates === null || isSessionId(reauthenticates))
    return isWhole
      ? { provider, state, nonce, verifier, returnTo, startedAt, maxAge, acrValues, reauthenticates }
      : null
  } catch {
    return null
  }
}

/** The transactions under way in a browser, each in a short-lived cookie of its own, so that tabs do not collide. */
export class TransactionCookies {
  readonly #settings: TransactionSettings

  constructor(settings: TransactionSettings) {
    this.#settings = settings
  }

  /** `crossSite`: the provider comes back with a POST from its own page, which carries no `SameSite=Lax` cookie. */
  begin(request: FastifyRequest, reply: FastifyReply, transaction: Transaction, crossSite: boolean): void {
    const name = `${this.#settings.name}-${transaction.state.slice(0, idLength)}`
    const value = encode(transaction)
    this.#makeRoom(request, reply, name.length + value.length)
    const maxAge = Math.ceil(this.#settings.timeout / 1_000)
    reply.setCookie(name, value, { ...this.#attributes(crossSite ? 'none' : 'lax'), maxAge })
  }

  /** The transaction of this state in this browser, which is over with that; `null` if there is none, or it is too old. */
  take(request: FastifyRequest, reply: FastifyReply, state: string | null): Transaction | null {
    if (state === null) return null
    const found = this.#underWay(request).find(({ transaction }) => transaction?.state === state)
    if (!found?.transaction) return null
    this.#clear(reply, found.name)
    const age = this.#settings.clock.now() - found.transaction.startedAt
    return age < this.#settings.timeout ? found.transaction : null
  }

  /** Clears the oldest cookies, so that one more of this length may be kept. */
  #makeRoom(request: FastifyRequest, reply: FastifyReply, length: number): void {
    let room = maxCookieLength - length
    for (const [index, other] of this.#underWay(request).entries()) {
      room -= other.length
      if (index + 1 >= maxTransactions || room < 0) this.#clear(reply, other.name)
    }
  }

  /** The newest first; those that cannot be read after all others. */
  #underWay(request: FastifyRequest): KeptCookie[] {
    const { cookie } = request.headers
    if (cookie === undefined) return []
    return Object.entries(request.server.parseCookie(cookie))
      .filter(([name]) => name.startsWith(`${this.#settings.name}-`))
      .map(([name, value]) => {
        const text = String(value)
        const transaction = decode(text)
        const startedAt = transaction?.startedAt ?? 0
        return { name, length: name.length + text.length, startedAt, transaction }
      })
      .sort((a, b) => b.startedAt - a.startedAt)
  }

  #clear(reply: FastifyReply, name: string): void {
    reply.clearCookie(name, this.#attributes('lax'))
  }

  #attributes(sameSite: 'lax' | 'none'): CookieSerializeOptions {
    // All that @fastify/cookie's own defaults (parseOptions) could otherwise change.
    const reset = {
      signed: false,
      expires: undefined,
      encode: undefined,
      domain: undefined,
      partitioned: false,
    }
    const { secure } = this.#settings
    return { path: '/', httpOnly: true, secure, sameSite, ...reset } as CookieSerializeOptions
  }
}
