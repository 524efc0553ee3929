import type { CompatSessionCalls } from '../../types/compat.js'
import type { SessionData, SessionDataKey, SessionDataValue } from '../../types/data.js'
import type { HeldSession } from './held-session.js'

type Done = (error?: unknown) => void

/**
 * What stands at `request.session`: the data as its own properties, as in @fastify/session, and the calls of that and of
 * @fastify/secure-session. Data of the same name as a call hides the call, as it does there.
 */
export class DataSession implements CompatSessionCalls {
  readonly #held: HeldSession

  constructor(held: HeldSession) {
    this.#held = held
  }

  get sessionId(): string {
    return this.#held.id
  }

  /** Data of that name hides the id, as it hides a call. */
  set sessionId(value: string) {
    setValue(this, 'sessionId', value)
  }

  get<K extends SessionDataKey>(key: K): SessionDataValue<K> | undefined {
    // No call of that name.
    return Object.hasOwn(this, key) ? this[key as never] : undefined
  }

  set(key: string, value: unknown): void {
    setValue(this, key, value)
  }

  data(): Partial<SessionData> {
    return { ...this }
  }

  isModified(): boolean {
    return this.#held.isModified()
  }

  touch(): void {
    this.#held.touch()
  }

  regenerate(keys?: readonly string[] | Done, done?: Done): Promise<void> {
    if (typeof keys === 'function') return this.regenerate(undefined, keys)
    this.#held.regenerate(keys ?? [])
    return settle(Promise.resolve(), done)
  }

  destroy(done?: Done): Promise<void> {
    this.#held.end()
    return settle(saved(this.#held), done)
  }

  delete(): void {
    this.#held.end()
  }

  reload(done?: Done): Promise<void> {
    return settle(this.#held.load(), done)
  }

  save(done?: Done): Promise<void> {
    return settle(saved(this.#held), done)
  }

  options(): void {}
}

/** For data of any name, `set` too: what the calls do must not go by the properties that data may hide. */
export function setValue(session: DataSession, key: string, value: unknown): void {
  if (value === undefined) Reflect.deleteProperty(session, key)
  // Defined, not assigned: `__proto__` is a key like any other.
  else Object.defineProperty(session, key, { value, writable: true, enumerable: true, configurable: true })
}

async function saved(held: HeldSession): Promise<void> {
  await held.save()
}

function settle(work: Promise<void>, done: Done | undefined): Promise<void> {
  return done === undefined ? work : work.then(() => done(), done)
}
