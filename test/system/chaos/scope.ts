import type { Test } from 'tap'

/** What stands in for a test where there is none: it undoes at the end, last first, what was begun. */
export class Scope {
  readonly #undo: (() => unknown)[] = []

  /** What the test servers want of a test. */
  get asTest(): Test {
    const test = { teardown: (undo: () => unknown) => void this.#undo.push(undo), test() {}, plan() {} }
    return test as unknown as Test
  }

  async close(): Promise<void> {
    for (const undo of this.#undo.splice(0).reverse()) await undo()
  }
}
