import type { SessionStore } from '../../types/store.js'
import { GoseshError, isGoseshError } from '../core/errors.js'
import { isPromise } from '../core/timing.js'
import { WaitingCalls } from './waiting-calls.js'

export interface StoreCallsSettings {
  /** Milliseconds that the store has for a call. */
  readonly storeTimeout: number
  /** Calls that wait at once. */
  readonly maxPendingStoreCalls: number
}

/** The store's own error if it has a code, else `GOSESH_ERR_STORE_UNAVAILABLE` with the cause. */
export function storeError(method: string, error: unknown): GoseshError {
  if (isGoseshError(error)) return error
  return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
    message: `The session store is unavailable (${method})`,
    cause: error,
  })
}

/** Calls the store: so many at once, each within bounded time; whatever goes wrong becomes an error with a code. */
export class StoreCalls<S extends SessionStore = SessionStore> {
  readonly store: S
  readonly #settings: StoreCallsSettings
  readonly #waiting: WaitingCalls

  constructor(store: S, settings: StoreCallsSettings) {
    this.store = store
    this.#settings = settings
    this.#waiting = new WaitingCalls(settings.storeTimeout)
  }

  /** Resolves what `call` does; rejects with a `GoseshError`: the store's own, or `GOSESH_ERR_STORE_UNAVAILABLE`. */
  run<T>(method: string, call: (store: S) => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const answer = this.ask(call, undefined)
      if (isPromise(answer)) this.bound(method, answer, resolve, reject)
      else resolve(answer)
    })
  }

  /**
   * What the store answers, which nothing bounds yet; a promise even if it throws instead of rejecting, and if too
   * many calls wait already. `given` goes to the call, which then need not be a function made for it.
   */
  ask<T, G>(call: (store: S, given: G) => T | Promise<T>, given: G): T | Promise<T> {
    const { maxPendingStoreCalls } = this.#settings
    if (this.#waiting.size >= maxPendingStoreCalls) {
      return Promise.reject(new Error(`${maxPendingStoreCalls} calls wait for the store already`))
    }
    try {
      const answer = call(this.store, given)
      // Looked at here, since what is no answer at all may throw when it is asked whether it is a promise.
      return isPromise(answer) ? Promise.resolve(answer) : answer
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Waits for what `ask` returned, within bounded time, and tells one of two functions, later and once. */
  bound<T>(
    method: string,
    answer: Promise<T>,
    onAnswer: (value: T) => void,
    onFailure: (error: GoseshError) => void,
  ): void {
    const waiting = this.#waiting
    const fail = (error: unknown): void => onFailure(storeError(method, error))
    const started = waiting.add(() => fail(new Error(`no answer in ${this.#settings.storeTimeout} ms`)))
    Promise.resolve(answer).then(
      (value) => {
        if (waiting.end(started)) onAnswer(value)
      },
      (error) => {
        if (waiting.end(started)) fail(error)
      },
    )
  }

  /** The same without a bound on time, for work that no request waits for and that grows with the store. */
  async runUnbounded<T>(method: string, call: (store: S) => Promise<T>): Promise<T> {
    try {
      return await call(this.store)
    } catch (error) {
      throw storeError(method, error)
    }
  }
}
