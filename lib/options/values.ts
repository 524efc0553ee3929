import type { FastifyInstance } from 'fastify'
import type { ClearSiteDataType, Clock, Logger, SessionLimitOptions } from '../../types/options.js'
import type { SessionStore } from '../../types/store.js'
import { isPromise } from '../core/timing.js'
import {
  checkCount,
  checkObject,
  checkText,
  hasMethods,
  isOrigin,
  optionError,
  secretOptionError,
} from '../core/validation.js'

const storeMethods = [
  'upsertUser',
  'createSession',
  'getSession',
  'extendSession',
  'deleteSession',
  'deleteUserSessions',
] as const satisfies readonly (keyof SessionStore)[]

/** Returns the store; throws `GOSESH_ERR_OPTION` if it lacks one of the six methods. */
export function checkStore(store: unknown): SessionStore {
  if (hasMethods(store, storeMethods)) return store as SessionStore
  throw secretOptionError('store', store, `a session store, with the methods ${storeMethods.join(', ')}`)
}

/** A class in the place of one of its instances would be called without `new`. */
function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

/** The option `store`; what a function or a promise gives is checked in `onReady`. */
export function parseStore(
  value: unknown,
): SessionStore | Promise<SessionStore> | ((app: FastifyInstance) => SessionStore | Promise<SessionStore>) {
  if (isClass(value)) throw optionError('store', value, 'an instance, such as new MemoryStore()')
  if (typeof value === 'function') return value as (app: FastifyInstance) => SessionStore
  return isPromise(value) ? (value as Promise<SessionStore>) : checkStore(value)
}

/** Returns the logger; throws `GOSESH_ERR_OPTION` if it lacks a level. */
export function checkLogger(logger: unknown): Logger {
  if (hasMethods(logger, ['debug', 'info', 'warn', 'error'])) return logger as Logger
  throw optionError(
    'logger',
    logger,
    'a logger with debug, info, warn and error, or a function that returns one',
  )
}

/** The option `logger`; what a function returns is checked in `onReady`. */
export function parseLogger(value: unknown): Logger | ((app: FastifyInstance) => Logger) {
  return typeof value === 'function' ? (value as (app: FastifyInstance) => Logger) : checkLogger(value)
}

export function parseClock(value: unknown = Date): Clock {
  if (typeof (value as Clock | null)?.now === 'function') return value as Clock
  throw optionError('clock', value, 'an object with the method now')
}

/** The option `decorateAs`; throws `GOSESH_ERR_OPTION` for a name that the request has already. */
export function parseDecorateAs(value: unknown, app: FastifyInstance): string {
  if (value === undefined) return 'session'
  const name = checkText('decorateAs', value, "a name such as 'signInSession'", /^[A-Za-z_$][\w$]*$/)
  const isOwn = name === 'sessionData' || name === 'requireSession'
  if (!isOwn && !app.hasRequestDecorator(name)) return name
  throw optionError('decorateAs', value, "a name that is free, such as 'signInSession'")
}

/** The option `trustedOrigins`: a frozen copy; throws `GOSESH_ERR_OPTION`. */
export function parseOrigins(value: unknown): readonly string[] {
  if (!Array.isArray(value)) {
    throw optionError('trustedOrigins', value, 'a list of origins, such as https://app.example.com')
  }
  for (const [index, origin] of value.entries()) {
    if (isOrigin(origin)) continue
    const expected =
      'an origin: scheme and host, no path and no slash at the end, such as https://app.example.com'
    throw optionError(`trustedOrigins[${index}]`, origin, expected)
  }
  return Object.freeze([...value])
}

const clearSiteDataTypes: readonly unknown[] = [
  'cache',
  'cookies',
  'storage',
  'executionContexts',
  '*',
] satisfies ClearSiteDataType[]

/** The option `clearSiteData`: a frozen copy; throws `GOSESH_ERR_OPTION`. */
export function parseClearSiteData(value: unknown): readonly ClearSiteDataType[] {
  if (Array.isArray(value) && value.every((type) => clearSiteDataTypes.includes(type))) {
    return Object.freeze([...value])
  }
  throw optionError('clearSiteData', value, `a list of ${clearSiteDataTypes.join(', ')}`)
}

/** The option `maxSessionsPerUser`; `null`: no limit. Throws `GOSESH_ERR_OPTION`. */
export function parseSessionLimit(value: unknown): Required<SessionLimitOptions> | null {
  const name = 'maxSessionsPerUser'
  if (value === undefined) return null
  if (typeof value === 'number') {
    return Object.freeze({ limit: checkCount(name, value), whenFull: 'endLeastRecent' as const })
  }
  if (typeof value !== 'object') {
    throw optionError(name, value, 'a whole number, 1 or more, or { limit, whenFull }')
  }
  const { limit, whenFull = 'endLeastRecent' } = checkObject(name, value, ['limit', 'whenFull'])
  if (whenFull !== 'endLeastRecent' && whenFull !== 'refuse') {
    throw optionError(`${name}.whenFull`, whenFull, "'endLeastRecent' or 'refuse'")
  }
  return Object.freeze({ limit: checkCount(`${name}.limit`, limit), whenFull })
}
