/** Milliseconds. The monotonic clock of some systems stands still while they sleep, so both are looked at. */
export interface Clocks {
  monotonic(): number
  wall(): number
}

export const systemClocks: Clocks = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
}

/** By so many milliseconds the clocks may differ in what has passed since the proof. */
const maxJump = 200

/** One look at both clocks. */
export interface Moment {
  readonly monotonic: number
  readonly wall: number
}

/**
 * For how long what is in memory may be used: until `maxStaleness` after the last successful poll **began**, because what the
 * poll did not bring may have happened since. It is checked at each use and by the clock, so a process that stood still
 * finds it run out.
 */
export class Lease {
  readonly #clocks: Clocks
  readonly #maxStaleness: number
  #proven: Moment | null = null

  constructor(maxStaleness: number, clocks: Clocks) {
    this.#maxStaleness = maxStaleness
    this.#clocks = clocks
  }

  /** Both clocks, now. */
  now(): Moment {
    return { monotonic: this.#clocks.monotonic(), wall: this.#clocks.wall() }
  }

  /** Everything that happened before this moment is known. */
  prove(at: Moment): void {
    this.#proven = at
  }

  /** Milliseconds since the proof; `null` if there is none yet. */
  get provenAge(): number | null {
    return this.#proven === null ? null : this.#clocks.monotonic() - this.#proven.monotonic
  }

  /** `at`: now. */
  holds(at: Moment): boolean {
    if (this.#proven === null) return false
    const age = at.monotonic - this.#proven.monotonic
    if (age >= this.#maxStaleness) return false
    return Math.abs(at.wall - this.#proven.wall - age) <= maxJump
  }
}
