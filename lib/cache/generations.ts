import type { SessionId } from '../../types/session.js'

/**
 * At most `limit` values by session id, in two generations: if the young one is full, the old one is forgotten and the young
 * one takes its place. So a look-up writes nothing, and nothing is kept in order of use.
 */
export class Generations<V> {
  readonly #limit: number
  readonly #half: number
  #young = new Map<SessionId, V>()
  #old = new Map<SessionId, V>()

  constructor(limit: number) {
    this.#limit = limit
    this.#half = Math.max(1, Math.floor(limit / 2))
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(id: SessionId): V | undefined {
    return this.#young.get(id) ?? this.#old.get(id)
  }

  set(id: SessionId, value: V): void {
    this.#old.delete(id)
    this.#young.delete(id)
    if (this.#young.size >= this.#half) this.rotate()
    this.#young.set(id, value)
  }

  delete(id: SessionId): void {
    this.#young.delete(id)
    this.#old.delete(id)
  }

  /** Forgets the old generation. */
  rotate(): void {
    const fits = this.#young.size + this.#half <= this.#limit
    this.#old = fits ? this.#young : new Map()
    this.#young = new Map()
  }

  clear(): void {
    this.#young = new Map()
    this.#old = new Map()
  }
}
