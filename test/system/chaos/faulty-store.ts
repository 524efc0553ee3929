import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import type { SessionStore } from '../../../lib/index.js'
import type { FlushAge } from './protocol.js'

/** Batches of one flush follow one another at once; two flushes are further apart. */
const pauseBetweenFlushes = 200

class Moment {
  readonly #time = performance.now()
  readonly #utilization: EventLoopUtilization = performance.eventLoopUtilization()

  age(): FlushAge {
    return {
      msSinceLastFlushBegan: performance.now() - this.#time,
      idleMsSinceLastFlushBegan: performance.eventLoopUtilization(this.#utilization).idle,
    }
  }
}

/** How the store is made to fail; changed while the application runs. */
export class StoreFaults {
  /** Every so manieth call fails; `null`: none. */
  failEvery: number | null = null
  /** Called in the middle of the next flush, with the time since the flush before it began. */
  dieInFlush: ((since: FlushAge) => void) | null = null
  #calls = 0
  #failures = 0
  #batch = 0
  #lastBatchEnded = Number.NEGATIVE_INFINITY
  #flushBegan = new Moment()
  #lastFlushBegan = new Moment()

  around<T>(method: string, call: () => Promise<T>): Promise<T> {
    return method === 'batchRecordActivity' ? this.#aroundBatch(call) : this.#mayFail(call)
  }

  async #mayFail<T>(call: () => Promise<T>): Promise<T> {
    this.#calls++
    if (this.failEvery === null || this.#calls % this.failEvery !== 0) return call()
    // The call is lost on its way, or its answer is: the caller cannot tell which.
    if (this.#failures++ % 2 === 1) await call()
    throw new Error('a call that fails')
  }

  async #aroundBatch<T>(call: () => Promise<T>): Promise<T> {
    const now = performance.now()
    if (now - this.#lastBatchEnded > pauseBetweenFlushes) this.#beginFlush()
    this.#batch++
    if (this.#batch === 2) this.dieInFlush?.(this.#lastFlushBegan.age())
    try {
      return await this.#mayFail(call)
    } finally {
      this.#lastBatchEnded = performance.now()
    }
  }

  #beginFlush(): void {
    this.#batch = 0
    this.#lastFlushBegan = this.#flushBegan
    this.#flushBegan = new Moment()
  }
}

/** The store, every call of which goes through the faults. */
export function faultyStore(store: SessionStore, faults: StoreFaults): SessionStore {
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => faults.around(String(name), async () => member.apply(target, args))
    },
  })
}
