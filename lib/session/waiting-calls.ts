/** A call that waits for its answer. */
export interface WaitingCall {
  readonly deadline: number
  readonly expire: () => void
  waits: boolean
  previous: WaitingCall | null
  next: WaitingCall | null
}

/**
 * The calls that wait for the store, oldest first. All have the same time, so that one timer serves them all: a timer
 * for each would cost more than the rest of a call.
 */
export class WaitingCalls {
  readonly #timeout: number
  #oldest: WaitingCall | null = null
  #newest: WaitingCall | null = null
  #size = 0
  #timer: NodeJS.Timeout | null = null

  constructor(timeout: number) {
    this.#timeout = timeout
  }

  get size(): number {
    return this.#size
  }

  /** `expire` is called in `timeout` milliseconds unless the call is ended before. */
  add(expire: () => void): WaitingCall {
    const deadline = performance.now() + this.#timeout
    const call: WaitingCall = { deadline, expire, waits: true, previous: this.#newest, next: null }
    if (this.#newest === null) this.#oldest = call
    else this.#newest.next = call
    this.#newest = call
    // Only a call that waits keeps the process alive.
    if (this.#size++ === 0) this.#timer?.ref()
    this.#timer ??= setTimeout(this.#lookOnce, this.#timeout)
    return call
  }

  /** Returns false if the call has already settled. */
  end(call: WaitingCall): boolean {
    if (!call.waits) return false
    call.waits = false
    if (call.previous === null) this.#oldest = call.next
    else call.previous.next = call.next
    if (call.next === null) this.#newest = call.previous
    else call.next.previous = call.previous
    if (--this.#size === 0) this.#timer?.unref()
    return true
  }

  /** Timers run before sockets are read: after a stall of the event loop an answer may have arrived that nobody read. */
  readonly #lookOnce = (): void => void setImmediate(this.#expireLate, performance.now())

  readonly #expireLate = (now: number): void => {
    this.#timer = null
    for (let call = this.#oldest; call !== null && call.deadline <= now; call = this.#oldest) {
      this.end(call)
      call.expire()
    }
    if (this.#oldest !== null) this.#timer = setTimeout(this.#lookOnce, this.#oldest.deadline - now)
  }
}
