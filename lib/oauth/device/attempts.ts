import type { Clock } from '../../../types/options.js'
import { GoseshError } from '../../core/errors.js'

const window = 60_000
/** Users who are counted at once; the one counted longest gives way. */
const maxUsers = 10_000

interface Count {
  /** Wrong guesses, and those under way. */
  guesses: number
  readonly until: number
}

/** Counts each user's wrong codes of a minute, in this process. */
export class Attempts {
  readonly #clock: Clock
  readonly #max: number
  readonly #counts = new Map<string, Count>()

  constructor(clock: Clock, max: number) {
    this.#clock = clock
    this.#max = max
  }

  /**
   * Makes a guess, which resolves `null` if it was wrong. Rejects with `GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS` if
   * the user has to wait.
   */
  async make<T>(userId: string, guess: () => Promise<T | null>): Promise<T | null> {
    const count = this.#countOf(userId)
    if (count.guesses >= this.#max) throw this.#tooMany(count)
    // Counted before its outcome is known, so that guesses made all at once are as many as they are.
    count.guesses += 1
    try {
      const outcome = await guess()
      if (outcome !== null) count.guesses -= 1
      return outcome
    } catch (error) {
      count.guesses -= 1
      throw error
    }
  }

  #countOf(userId: string): Count {
    const now = this.#clock.now()
    const count = this.#counts.get(userId)
    if (count !== undefined && count.until > now) return count
    this.#counts.delete(userId)
    const [oldest] = this.#counts.keys()
    if (this.#counts.size >= maxUsers && oldest !== undefined) this.#counts.delete(oldest)
    const fresh = { guesses: 0, until: now + window }
    this.#counts.set(userId, fresh)
    return fresh
  }

  #tooMany({ until }: Count): GoseshError {
    const seconds = Math.ceil((until - this.#clock.now()) / 1_000)
    return new GoseshError('GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS', { headers: { 'retry-after': `${seconds}` } })
  }
}
