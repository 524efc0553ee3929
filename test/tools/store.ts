import { deviceCodeMethods } from '../../lib/core/capabilities.js'
import { MemoryStore } from '../../lib/index.js'

const sessionMethods = [
  'upsertUser',
  'createSession',
  'getSession',
  'extendSession',
  'deleteSession',
  'deleteUserSessions',
  'batchRecordActivity',
  'listUserSessions',
  'deleteExpiredSessions',
  'deleteAllSessions',
  'deleteSessionsByMetadata',
  'updateSession',
  'deleteUser',
  'readData',
  'writeData',
  'swapData',
] as const satisfies readonly (keyof MemoryStore)[]

type Method = (typeof sessionMethods)[number] | (typeof deviceCodeMethods)[number]

/** What to do instead of, or around, one method of the store. */
export type Intervention = (proceed: () => Promise<unknown>) => Promise<unknown>

/** A memory store that counts its calls, and in which any call can be made to wait, fail or go wrong. */
export class WatchedStore extends MemoryStore {
  readonly calls: { method: Method; args: unknown[] }[] = []
  readonly #interventions = new Map<Method, Intervention>()

  constructor() {
    super()
    for (const method of sessionMethods) this.#watch(this, method)
    for (const method of deviceCodeMethods) this.#watch(this.deviceCodes, method)
  }

  #watch<M extends Method>(target: Record<M, unknown>, method: M): void {
    const original = target[method] as (...args: unknown[]) => Promise<unknown>
    Object.defineProperty(target, method, {
      configurable: true,
      value: (...args: unknown[]) => {
        this.calls.push({ method, args })
        const proceed = (): Promise<unknown> => original.apply(target, args)
        const intervention = this.#interventions.get(method)
        return intervention === undefined ? proceed() : intervention(proceed)
      },
    })
  }

  /** How often each method was called since the last reset. */
  get counts(): Partial<Record<Method, number>> {
    const counts: Partial<Record<Method, number>> = {}
    for (const { method } of this.calls) counts[method] = (counts[method] ?? 0) + 1
    return counts
  }

  reset(): void {
    this.calls.length = 0
  }

  on(method: Method, intervention: Intervention): void {
    this.#interventions.set(method, intervention)
  }

  off(method: Method): void {
    this.#interventions.delete(method)
  }

  fail(method: Method, error: Error = new Error('the store is down')): void {
    this.on(method, () => Promise.reject(error))
  }

  hang(method: Method): void {
    this.on(method, () => new Promise(() => {}))
  }

  /** Holds every call of the method until the returned function is called. */
  hold(method: Method): () => void {
    let release = (): void => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    this.on(method, async (proceed) => {
      await released
      return await proceed()
    })
    return () => {
      this.off(method)
      release()
    }
  }
}
