import type { SessionDataStore } from '../../types/data.js'
import type { DeviceCodeStore } from '../../types/device-code.js'
import type { RevocationLog } from '../../types/revocation-log.js'
import type { SessionId } from '../../types/session.js'
import type {
  AllSessionsDeleter,
  DeviceCodeProvider,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SchemaChecker,
  SessionExtension,
  SessionLister,
  SessionRecord,
  SessionStore,
  SessionUpdater,
  UserDeleter,
} from '../../types/store.js'
import { deviceCodeMethods } from '../core/capabilities.js'
import { GoseshError, isGoseshError } from '../core/errors.js'
import { isPromise, within } from '../core/timing.js'
import { hasMethods } from '../core/validation.js'

export interface StoreLimits {
  /** Milliseconds that the store has for a call. */
  readonly storeTimeout: number
  /** Calls that may wait for the store at once. */
  readonly maxPendingStoreCalls: number
}

type Capabilities = SessionLister &
  MetadataSessionsDeleter &
  AllSessionsDeleter &
  ExpiredSessionSweeper &
  SchemaChecker &
  SessionUpdater &
  UserDeleter &
  SessionDataStore &
  RevocationLog &
  DeviceCodeProvider

const limited = [
  'listUserSessions',
  'deleteSessionsByMetadata',
  'checkSchema',
  'updateSession',
  'deleteUser',
  'readData',
  'writeData',
  'swapData',
  'readRevocations',
]
/** These take longer the more sessions there are, and no request waits for them: no time limit fits all stores. */
const unlimited = ['deleteAllSessions', 'deleteExpiredSessions']

type Method = (...args: unknown[]) => unknown

/**
 * The one way to the store: its own shape, capabilities included, with a limit on the time of a call and on the number of
 * calls that wait. Every failure is a `GoseshError`: the store's own, or `GOSESH_ERR_STORE_UNAVAILABLE` with the cause.
 * `batchRecordActivity` is left out, as a flush has limits of its own.
 */
export class BoundedStore<S extends SessionStore = SessionStore>
  implements SessionStore, Partial<Capabilities>
{
  readonly raw: S
  declare readonly listUserSessions?: Capabilities['listUserSessions']
  declare readonly deleteSessionsByMetadata?: Capabilities['deleteSessionsByMetadata']
  declare readonly deleteAllSessions?: Capabilities['deleteAllSessions']
  declare readonly deleteExpiredSessions?: Capabilities['deleteExpiredSessions']
  declare readonly checkSchema?: Capabilities['checkSchema']
  declare readonly updateSession?: Capabilities['updateSession']
  declare readonly deleteUser?: Capabilities['deleteUser']
  declare readonly readData?: Capabilities['readData']
  declare readonly writeData?: Capabilities['writeData']
  declare readonly swapData?: Capabilities['swapData']
  declare readonly readRevocations?: Capabilities['readRevocations']
  declare readonly deviceCodes?: DeviceCodeStore
  readonly limits: StoreLimits
  #waiting = 0

  constructor(raw: S, limits: StoreLimits) {
    this.raw = raw
    this.limits = limits
    const { deviceCodes } = raw as Partial<DeviceCodeProvider>
    Object.assign(
      this,
      bind(raw, limited, (method, call) => this.#callAsync(method, call)),
      bind(raw, unlimited, callWithoutLimit),
      hasMethods(deviceCodes, deviceCodeMethods) && {
        deviceCodes: bind(deviceCodes as DeviceCodeStore, deviceCodeMethods, (method, call) =>
          this.#callAsync(method, call),
        ),
      },
    )
  }

  upsertUser(authProviderId: string): Promise<string> {
    return this.#callAsync('upsertUser', () => this.raw.upsertUser(authProviderId))
  }

  createSession(record: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void> {
    return this.#callAsync('createSession', () =>
      data === undefined ? this.raw.createSession(record) : this.raw.createSession(record, data),
    )
  }

  /** The answer itself if the store has it at hand. A store that throws is a rejection here too. */
  getSession(id: SessionId): SessionRecord | null | Promise<SessionRecord | null> {
    return this.#call('getSession', () => this.raw.getSession(id))
  }

  extendSession(id: SessionId, to: SessionExtension): Promise<boolean> {
    return this.#callAsync('extendSession', () => this.raw.extendSession(id, to))
  }

  deleteSession(id: SessionId): Promise<boolean> {
    return this.#callAsync('deleteSession', () => this.raw.deleteSession(id))
  }

  deleteUserSessions(userId: string, options?: { readonly except?: SessionId | undefined }): Promise<number> {
    return this.#callAsync('deleteUserSessions', () => this.raw.deleteUserSessions(userId, options))
  }

  async #callAsync<T>(method: string, call: () => T | Promise<T>): Promise<T> {
    return await this.#call(method, call)
  }

  #call<T>(method: string, call: () => T | Promise<T>): T | Promise<T> {
    const { maxPendingStoreCalls, storeTimeout } = this.limits
    if (this.#waiting >= maxPendingStoreCalls) {
      const cause = new Error(`${maxPendingStoreCalls} calls wait for the store already`)
      return Promise.reject(storeError(method, cause))
    }
    let answer: T | Promise<T>
    try {
      answer = call()
      // Inside of `try`, since what is no answer at all may throw when it is asked if it is a promise.
      if (!isPromise(answer)) return answer
    } catch (error) {
      return Promise.reject(storeError(method, error))
    }
    const promise = Promise.resolve(answer)
    this.#waiting++
    return within(promise, storeTimeout, () => new Error(`no answer in ${storeTimeout} ms`)).then(
      (value) => {
        this.#waiting--
        return value
      },
      (cause) => {
        this.#waiting--
        const error = storeError(method, cause)
        answers.set(error, promise)
        throw error
      },
    )
  }
}

/** The methods of `target` among `names`, each called by way of `caller`. */
function bind(
  target: object,
  names: readonly string[],
  caller: (method: string, call: () => unknown) => unknown,
): Record<string, Method> {
  const methods = target as Record<string, Method>
  return Object.fromEntries(
    names
      .filter((name) => hasMethods(target, [name]))
      .map((name) => [
        name,
        (...args) => caller(name, () => Reflect.apply(methods[name] as Method, target, args)),
      ]),
  )
}

async function callWithoutLimit(method: string, call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    throw storeError(method, error)
  }
}

/** The store's own error if it has a code, else `GOSESH_ERR_STORE_UNAVAILABLE` with the cause. */
export function storeError(method: string, error: unknown): GoseshError {
  if (isGoseshError(error)) return error
  return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
    message: `The session store is unavailable (${method})`,
    cause: error,
  })
}

/** The store's own answers to the calls that failed, by the error. */
const answers = new WeakMap<GoseshError, Promise<unknown>>()

/**
 * The store's own answer to the call that failed with this error; after a call that took too long it may still come.
 * `null` if the call never reached the store.
 */
export function answerTo(error: unknown): Promise<unknown> | null {
  return answers.get(error as GoseshError) ?? null
}

/** Lets whoever asks for the store's own answer to a call that failed have what `amend` makes of it. */
export function amendAnswer(error: unknown, amend: (answer: unknown) => unknown): void {
  const amended = answers.get(error as GoseshError)?.then(amend)
  if (amended === undefined) return
  // Perhaps nobody asks.
  amended.catch(() => {})
  answers.set(error as GoseshError, amended)
}
