import type { Clock } from '../../types/options.js'
import { type LogoutToken, maxLogoutTokenAge } from './jwt-verifier.js'

/** The oldest gives way. */
const maxRemembered = 10_000

/** The logout tokens that this process obeyed, for as long as they would verify. */
export class SeenTokens {
  readonly #clock: Clock
  readonly #until = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#until.size
  }

  /** Whether the token is new. */
  add({ iss, jti }: LogoutToken): boolean {
    const now = this.#clock.now()
    for (const [key, until] of this.#until) {
      if (until > now && this.#until.size < maxRemembered) break
      this.#until.delete(key)
    }
    const key = `${iss}\n${jti}`
    if (this.#until.has(key)) return false
    // The clocks' tolerance on top, doubled.
    this.#until.set(key, now + maxLogoutTokenAge + 60_000)
    return true
  }

  forget({ iss, jti }: LogoutToken): void {
    this.#until.delete(`${iss}\n${jti}`)
  }
}
