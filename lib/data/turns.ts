import { within } from '../core/timing.js'

/** Turns of those who want to change the same value: one at a time, in the order in which they came. */
export class Turns {
  readonly #maxWait: number
  readonly #last = new Map<string, Promise<void>>()

  /** `maxWait`: milliseconds after which a turn begins all the same, as one before it may never end. */
  constructor(maxWait: number) {
    this.#maxWait = maxWait
  }

  /** Resolves when the turn has come, with the call that ends it. */
  async take(name: string): Promise<() => void> {
    const before = this.#last.get(name)
    let resolve!: () => void
    const turn = new Promise<void>((resolved) => {
      resolve = resolved
    })
    this.#last.set(name, turn)
    if (before !== undefined) {
      await within(before, this.#maxWait, () => new Error('a turn takes too long')).catch(() => {})
    }
    return () => {
      resolve()
      if (this.#last.get(name) === turn) this.#last.delete(name)
    }
  }
}
