// @ts-check

/** Counts the wrong codes of each user in a window of time, in the memory of this process. */
export class Attempts {
  #limit
  #window
  /** @type {Map<string, number[]>} The times of each user's, the oldest first. */
  #failures = new Map()

  /** @param {{ limit: number, window: number }} options `window`: milliseconds. */
  constructor({ limit, window }) {
    this.#limit = limit
    this.#window = window
  }

  /**
   * @param {string} userId
   * @param {number} now
   */
  isOver(userId, now) {
    return this.#recent(userId, now).length >= this.#limit
  }

  /**
   * @param {string} userId
   * @param {number} now
   */
  fail(userId, now) {
    // Users whose failures are all too old to count are forgotten here.
    for (const other of this.#failures.keys()) {
      if (this.#recent(other, now).length === 0) this.#failures.delete(other)
    }
    this.#failures.set(userId, [...this.#recent(userId, now), now])
  }

  /**
   * @param {string} userId
   * @param {number} now
   */
  #recent(userId, now) {
    return (this.#failures.get(userId) ?? []).filter((at) => at > now - this.#window)
  }
}
