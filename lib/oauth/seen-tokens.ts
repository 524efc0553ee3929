import type { Clock } from '../../types/options.js'
import { maxTokenAge } from './jwt-verifier.js'

/** The oldest gives way. */
const maxRemembered = 10_000

/** The tokens that this process took, each by a text of its own, for as long as they would verify. */
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
  add(key: string): boolean {
    const now = this.#clock.now()
    for (const [oldest, until] of this.#until) {
      if (until > now && this.#until.size < maxRemembered) break
      this.#until.delete(oldest)
    }
    if (this.#until.has(key)) return false
    // The clocks' tolerance on top, doubled.
    this.#until.set(key, now + maxTokenAge + 60_000)
    return true
  }

  forget(key: string): void {
    this.#until.delete(key)
  }
}
