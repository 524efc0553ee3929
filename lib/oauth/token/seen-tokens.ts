import type { Clock } from '../../../types/options.js'
import { maxTokenAge } from '../providers/jwt-verifier.js'

/** The oldest gives way. */
const maxRemembered = 10_000
/** The clocks' tolerance on top, doubled. */
const remembered = maxTokenAge + 60_000

/** What this process saw, each by a text of its own, for as long as a token of that time would verify. */
export class SeenTokens {
  readonly #clock: Clock
  readonly #seenAt = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#seenAt.size
  }

  /** Returns true if the key is new. */
  add(key: string): boolean {
    const now = this.#clock.now()
    for (const [oldest, at] of this.#seenAt) {
      if (at + remembered > now && this.#seenAt.size < maxRemembered) break
      this.#seenAt.delete(oldest)
    }
    if (this.#seenAt.has(key)) return false
    this.#seenAt.set(key, now)
    return true
  }

  /** When the key was seen, in milliseconds since the epoch; `-Infinity`: it was not. */
  seenAt(key: string): number {
    return this.#seenAt.get(key) ?? Number.NEGATIVE_INFINITY
  }

  forget(key: string): void {
    this.#seenAt.delete(key)
  }
}

/** Who was signed out by a provider: what it said about them before says nothing any more. */
export class LoggedOut {
  readonly #seen: SeenTokens

  constructor(clock: Clock) {
    this.#seen = new SeenTokens(clock)
  }

  add({ iss, sub, sid }: { iss: string; sub: string | undefined; sid: string | undefined }): void {
    if (sid !== undefined) this.#see({ iss, sid })
    // A token without a sid may be of the session that ended.
    if (sub !== undefined) this.#see(sid === undefined ? { iss, sub } : { iss, sub, sid: null })
  }

  /**
   * True for an ID token of a session at the provider that has ended, or of a user who was signed out after its issue,
   * whether of every session or of one that may be the token's.
   */
  has({ iss, sub, sid, iat }: { iss: string; sub: string; sid?: unknown; iat: number }): boolean {
    const isKnown = typeof sid === 'string'
    if (isKnown && this.#seenAt({ iss, sid }) !== Number.NEGATIVE_INFINITY) return true
    const issuedAt = iat * 1_000
    if (this.#seenAt({ iss, sub }) >= issuedAt) return true
    return !isKnown && this.#seenAt({ iss, sub, sid: null }) >= issuedAt
  }

  #see(whom: object): void {
    const key = JSON.stringify(whom)
    // Seen anew, and so the last to give way.
    this.#seen.forget(key)
    this.#seen.add(key)
  }

  #seenAt(whom: object): number {
    return this.#seen.seenAt(JSON.stringify(whom))
  }
}
