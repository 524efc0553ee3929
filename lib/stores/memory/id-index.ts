import type { SessionId } from '../../../types/session.js'

/** The sessions that have something in common, by a text that says what. A text without sessions takes no memory. */
export class IdIndex {
  readonly #sets = new Map<string, Set<SessionId>>()

  add(text: string, id: SessionId): void {
    const ids = this.#sets.get(text)
    if (ids === undefined) this.#sets.set(text, new Set([id]))
    else ids.add(id)
  }

  delete(text: string, id: SessionId): void {
    const ids = this.#sets.get(text)
    ids?.delete(id)
    if (ids?.size === 0) this.#sets.delete(text)
  }

  /** Ids may be deleted while they are gone through. */
  of(text: string): Iterable<SessionId> {
    return this.#sets.get(text) ?? []
  }

  clear(): void {
    this.#sets.clear()
  }
}
