import type {
  SessionData,
  SessionDataAccess,
  SessionDataKey,
  SessionDataStore,
  SessionDataValue,
} from '../../types/data.js'
import type { SessionId } from '../../types/session.js'
import type { SessionStore } from '../../types/store.js'
import { requireCapability } from '../core/capabilities.js'
import { GoseshError } from '../core/errors.js'
import { checkDataKey, decodeValue, encodeValue } from './input.js'
import type { Turns } from './turns.js'

/** How often `update` and `take` begin again because somebody else changed the value. */
const maxTries = 10

type Compute<T> = (json: string | undefined) => Promise<{ next: string | null; result: T }>

export interface DataLimits {
  readonly maxValueLength: number
  readonly maxKeys: number
}

/** Whose data it is, asked at each call. */
export interface DataOwner {
  readonly store: SessionStore
  /** Of all the requests of this process. */
  readonly turns: Turns
  /** The session or visitor, known to be alive; `null`: there is none. Rejects with 401 if it has ended. */
  find(): Promise<SessionId | null>
  /** The same for a write. */
  findToWrite(): Promise<SessionId | null>
  /**
   * Makes a visitor with its first data; resolves false if another write made it meanwhile. `null`: there are none, and a write
   * is refused.
   */
  readonly create: ((data: ReadonlyMap<string, string>, id?: SessionId) => Promise<boolean>) | null
  /** What a call on a session that has ended, and a write without one, are answered. */
  refuse(): GoseshError
}

/** The data of one session: each call goes to the store, key by key. */
export class SessionDataCalls implements SessionDataAccess {
  readonly #owner: DataOwner
  readonly #limits: DataLimits
  readonly #neededBy: string

  constructor(owner: DataOwner, limits: DataLimits, neededBy: string) {
    this.#owner = owner
    this.#limits = limits
    this.#neededBy = neededBy
  }

  async get<K extends SessionDataKey>(key: K): Promise<SessionDataValue<K> | undefined> {
    const values = await this.#read([checkDataKey(key)])
    return this.#valueOf(values.get(key))
  }

  async all(): Promise<Partial<SessionData>> {
    const values = await this.#read(null)
    return Object.fromEntries(Array.from(values, ([key, json]) => [key, decodeValue(json)]))
  }

  async set<K extends SessionDataKey>(key: K, value: SessionDataValue<K>): Promise<void> {
    await this.write(new Map([[key, this.encode(key, value)]]))
  }

  async delete(key: SessionDataKey): Promise<void> {
    await this.write(new Map([[checkDataKey(key), null]]))
  }

  async update<K extends SessionDataKey>(
    key: K,
    change: (
      old: SessionDataValue<K> | undefined,
    ) => SessionDataValue<K> | undefined | Promise<SessionDataValue<K> | undefined>,
  ): Promise<SessionDataValue<K> | undefined> {
    const checked = checkDataKey(key)
    return await this.#swap(checked, async (json) => {
      const value = await change(this.#valueOf(json))
      const next = value === undefined ? null : this.encode(checked, value)
      return { next, result: value }
    })
  }

  async take<K extends SessionDataKey>(key: K): Promise<SessionDataValue<K> | undefined> {
    const checked = checkDataKey(key)
    return await this.#swap(checked, async (json) => ({ next: null, result: this.#valueOf<K>(json) }))
  }

  /** Every key with its value, as it is stored. */
  async readAll(): Promise<ReadonlyMap<string, string>> {
    return await this.#read(null)
  }

  /** The value as it is stored. Throws what `set` rejects with. */
  encode(key: string, value: unknown): string {
    return encodeValue(checkDataKey(key), value, this.#limits.maxValueLength)
  }

  /** Sets keys, and deletes those that are `null`, in one step. `newId`: of the visitor that a first write makes. */
  async write(changes: ReadonlyMap<string, string | null>, newId?: SessionId): Promise<void> {
    const store = this.#store
    for (;;) {
      const id = await this.#owner.findToWrite()
      if (id === null) {
        if (await this.#begin(changes, newId)) return
        continue
      }
      if (changes.size === 0) return
      this.#check(await store.writeData(id, changes, { maxKeys: this.#limits.maxKeys }))
      return
    }
  }

  /** Throws 413 for more keys than a session may have. */
  checkKeys(data: ReadonlyMap<string, unknown>): void {
    if (data.size > this.#limits.maxKeys) this.#check('full')
  }

  get #store(): SessionStore & SessionDataStore {
    return requireCapability(this.#owner.store, 'readData', this.#neededBy)
  }

  #valueOf<K extends SessionDataKey>(json: string | undefined): SessionDataValue<K> | undefined {
    return json === undefined ? undefined : (decodeValue(json) as SessionDataValue<K>)
  }

  async #read(keys: readonly string[] | null): Promise<ReadonlyMap<string, string>> {
    const store = this.#store
    const id = await this.#owner.find()
    if (id === null) return new Map()
    const values = await store.readData(id, keys)
    if (values === null) throw this.#owner.refuse()
    return values
  }

  /** The first write of somebody without a session. Resolves false if another one came first. */
  async #begin(changes: ReadonlyMap<string, string | null>, newId?: SessionId): Promise<boolean> {
    if (this.#owner.create === null) throw this.#owner.refuse()
    const data = new Map<string, string>()
    for (const [key, json] of changes) if (json !== null) data.set(key, json)
    this.checkKeys(data)
    return data.size === 0 || (await this.#owner.create(data, newId))
  }

  /**
   * Changes the key to what `compute` makes of it, again if somebody else changed it in between. Whoever has to begin again waits
   * for its turn among those of this process, or of many at once all but a few would use up their tries.
   */
  async #swap<T>(key: string, compute: Compute<T>): Promise<T> {
    let endTurn: (() => void) | undefined
    try {
      return await this.#trySwap(key, compute, async (id) => {
        endTurn ??= await this.#owner.turns.take(`${id} ${key}`)
      })
    } finally {
      endTurn?.()
    }
  }

  async #trySwap<T>(
    key: string,
    compute: Compute<T>,
    afterConflict: (id: SessionId) => Promise<void>,
  ): Promise<T> {
    const store = this.#store
    for (let tries = 1; tries <= maxTries; tries++) {
      const id = await this.#owner.findToWrite()
      if (id === null && this.#owner.create === null) throw this.#owner.refuse()
      const values = id === null ? new Map<string, string>() : await store.readData(id, [key])
      if (values === null) throw this.#owner.refuse()
      const found = values.get(key)
      const { next, result } = await compute(found)
      if (next === (found ?? null)) return result
      const outcome = await this.#exchange(id, key, found ?? null, next)
      if (outcome !== 'conflict') {
        this.#check(outcome)
        return result
      }
      if (id !== null) await afterConflict(id)
    }
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
      cause: new Error(`others changed the value ${maxTries} times meanwhile`),
    })
  }

  async #exchange(
    id: SessionId | null,
    key: string,
    found: string | null,
    next: string | null,
  ): Promise<'swapped' | 'conflict' | 'full' | 'absent'> {
    if (id !== null)
      return await this.#store.swapData(id, key, found, next, { maxKeys: this.#limits.maxKeys })
    return (await this.#begin(new Map([[key, next]]))) ? 'swapped' : 'conflict'
  }

  #check(outcome: 'written' | 'swapped' | 'full' | 'absent'): void {
    if (outcome === 'absent') throw this.#owner.refuse()
    if (outcome !== 'full') return
    const message = `The session has ${this.#limits.maxKeys} keys of data, as many as it may`
    throw new GoseshError('GOSESH_ERR_DATA_TOO_LARGE', { message })
  }
}
