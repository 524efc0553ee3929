import type { SessionId } from './session.js'

/**
 * What the application keeps with sessions, by key; each value is one that JSON can hold. Augment it:
 *
 *     declare module 'gosesh' { interface SessionData { cart?: Item[] } }
 */
// biome-ignore lint/suspicious/noEmptyInterface: an application adds its own keys
export interface SessionData {}

/** A key of `SessionData`; any string until that has one. */
export type SessionDataKey = keyof SessionData extends never ? string : keyof SessionData & string

/** The value of a key. */
export type SessionDataValue<K extends SessionDataKey> = K extends keyof SessionData
  ? Exclude<SessionData[K], undefined>
  : unknown

/**
 * `request.sessionData`: the data of the session. Each call goes to the store at once. Every method rejects with 401
 * `GOSESH_ERR_UNAUTHENTICATED` if the session has ended, with 503 if the store fails (what became of a `take` or an `update` is
 * then unknown, and neither is tried again), and with `GOSESH_ERR_DATA_KEY` for a key that is not 1 to 64 characters.
 */
export interface SessionDataAccess {
  get<K extends SessionDataKey>(key: K): Promise<SessionDataValue<K> | undefined>
  /** Every key with its value. */
  all(): Promise<Partial<SessionData>>
  /**
   * Sets one key, and touches no other. Rejects with `GOSESH_ERR_DATA_VALUE` for a value that JSON cannot hold, and with 413
   * `GOSESH_ERR_DATA_TOO_LARGE` past the option `data`.
   */
  set<K extends SessionDataKey>(key: K, value: SessionDataValue<K>): Promise<void>
  delete(key: SessionDataKey): Promise<void>
  /**
   * Sets the key to what `change` makes of its value; `undefined` deletes it. If somebody else changed it meanwhile, `change`
   * is called again, at most ten times, then 503; those of one process take turns at that. Resolves with the new value.
   * Rejects as `set` does.
   */
  update<K extends SessionDataKey>(
    key: K,
    change: (
      old: SessionDataValue<K> | undefined,
    ) => SessionDataValue<K> | undefined | Promise<SessionDataValue<K> | undefined>,
  ): Promise<SessionDataValue<K> | undefined>
  /** Deletes the key, and resolves with the value that it had. Of several callers at most one gets it. */
  take<K extends SessionDataKey>(key: K): Promise<SessionDataValue<K> | undefined>
}

/** The option `data`. */
export interface SessionDataOptions {
  /** Characters that a value may have as JSON. Default: 16,384. */
  readonly maxValueLength?: number | undefined
  /** Keys that a session may have. Default: 50. */
  readonly maxKeys?: number | undefined
}

/** What a store enforces. */
export interface SessionDataLimits {
  readonly maxKeys: number
}

/**
 * Capability that `request.sessionData` needs. Values are text, never empty, which a store keeps as given. Data goes only to sessions that
 * exist, expired or not, and is gone with them.
 */
export interface SessionDataStore {
  /** The values of these keys, or with `null` of all; those that are absent are left out. `null`: no such session. */
  readData(id: SessionId, keys: readonly string[] | null): Promise<ReadonlyMap<string, string> | null>
  /** Sets the keys, and deletes those that are `null`: all of them, or with `full` and `absent` none. */
  writeData(
    id: SessionId,
    changes: ReadonlyMap<string, string | null>,
    limits: SessionDataLimits,
  ): Promise<'written' | 'full' | 'absent'>
  /** Changes one key if its value is `expected` (`null`: it is absent), in one step; `next` `null` deletes it. */
  swapData(
    id: SessionId,
    key: string,
    expected: string | null,
    next: string | null,
    limits: SessionDataLimits,
  ): Promise<'swapped' | 'conflict' | 'full' | 'absent'>
}
