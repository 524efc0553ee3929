const tickMs = 1

/**
 * The longest that this process has kept its own event loop from turning. What it waited for a processor is left out:
 * the load and the stores want the same ones.
 */
export class LoopHold {
  #longestMs = 0
  #wall = performance.now()
  #cpu = process.cpuUsage()
  readonly #timer = setInterval(() => this.#tick(), tickMs)

  reset(): void {
    this.#tick()
    this.#longestMs = 0
  }

  /** Milliseconds. */
  stop(): number {
    this.#tick()
    clearInterval(this.#timer)
    return this.#longestMs
  }

  #tick(): void {
    const wallMs = performance.now() - this.#wall
    const { user, system } = process.cpuUsage(this.#cpu)
    this.#longestMs = Math.max(this.#longestMs, Math.min(wallMs, (user + system) / 1_000))
    this.#wall = performance.now()
    this.#cpu = process.cpuUsage()
  }
}
