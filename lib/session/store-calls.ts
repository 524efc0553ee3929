import type { SessionStore } from '../../types/store.js'
import { GoseshError } from '../errors.js'
import { within } from '../timing.js'

function unavailable(method: string, cause: unknown): GoseshError {
  return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
    message: `The session store is unavailable (${method})`,
    cause,
  })
}

/** Calls the store within bounded time; whatever goes wrong becomes an error with a code. */
export class StoreCalls<S extends SessionStore = SessionStore> {
  readonly store: S
  readonly #timeout: number

  constructor(store: S, timeout: number) {
    this.store = store
    this.#timeout = timeout
  }

  /** Resolves what `call` does; rejects with a `GoseshError`: the store's own, or `GOSESH_ERR_STORE_UNAVAILABLE`. */
  run<T>(method: string, call: (store: S) => Promise<T>): Promise<T> {
    return this.runUnbounded(method, (store) =>
      within(call(store), this.#timeout, () => new Error(`no answer in ${this.#timeout} ms`)),
    )
  }

  /** The same without a bound on time, for work that no request waits for and that grows with the store. */
  async runUnbounded<T>(method: string, call: (store: S) => Promise<T>): Promise<T> {
    try {
      return await call(this.store)
    } catch (error) {
      throw error instanceof GoseshError ? error : unavailable(method, error)
    }
  }
}
