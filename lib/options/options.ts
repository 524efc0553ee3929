import type { FastifyInstance } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type {
  ActivityTrackingOptions,
  ClearSiteDataType,
  Clock,
  GoseshOptions,
  Logger,
} from '../../types/options.js'
import type { SessionStore } from '../../types/store.js'
import type { FlushError } from '../core/errors.js'
import { isPromise } from '../core/timing.js'
import {
  checkBoolean,
  checkCount,
  checkDelay,
  checkLifetimes,
  checkObject,
  hasMethods,
  optionError,
  secretOptionError,
} from '../core/validation.js'
import { cookieCredential } from '../credentials/cookie.js'
import type { Context } from '../session/context.js'
import { MemoryStore } from '../stores/memory/store.js'
import { checkClearSiteData, checkOrigins, checkPolicy } from './policy-options.js'

/** Options as the plugin uses them: checked, complete and frozen. */
export interface Settings extends Pick<Context, 'notBefore' | 'maxAge' | 'maxSessionsPerUser'> {
  readonly store:
    | SessionStore
    | Promise<SessionStore>
    | ((app: FastifyInstance) => SessionStore | Promise<SessionStore>)
  readonly credentials: readonly Credential[]
  readonly activityTracking: Complete<ActivityTrackingOptions> | null
  readonly logger: Logger | ((app: FastifyInstance) => Logger)
  readonly refreshInterval: number
  readonly storeTimeout: number
  /** `null`: never; `undefined`: not asked for, so only if the store can. */
  readonly sweepInterval: number | null | undefined
  readonly maxPendingStoreCalls: number
  readonly clock: Clock
  readonly trustedOrigins: readonly string[]
  readonly dangerouslyAllowCrossOriginRequests: boolean
  readonly clearSiteData: readonly ClearSiteDataType[]
  readonly bindSessionToLog: boolean
  readonly requireByDefault: boolean
}

type Complete<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> }

const known: readonly (keyof GoseshOptions)[] = [
  'store',
  'credentials',
  'activityTracking',
  'logger',
  'refreshInterval',
  'storeTimeout',
  'maxPendingStoreCalls',
  'sweepInterval',
  'clock',
  'trustedOrigins',
  'dangerouslyAllowCrossOriginRequests',
  'maxSessionsPerUser',
  'notBefore',
  'maxAge',
  'clearSiteData',
  'bindSessionToLog',
  'requireByDefault',
]
/** What `app.register` itself takes from the same object. */
const fastifyKeys = ['prefix', 'logLevel', 'logSerializers']

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

/** Returns the logger; throws `GOSESH_ERR_OPTION` if it lacks a level. */
export function checkLogger(logger: unknown): Logger {
  if (hasMethods(logger, ['debug', 'info', 'warn', 'error'])) return logger as Logger
  throw optionError(
    'logger',
    logger,
    'a logger with debug, info, warn and error, or a function that returns one',
  )
}

function checkCredentials(value: unknown): readonly Credential[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw optionError('credentials', value, 'a list of credentials, such as [cookieCredential()]')
  }
  for (const [index, credential] of value.entries()) checkCredential(`credentials[${index}]`, credential)
  return Object.freeze([...value])
}

function checkCredential(name: string, value: unknown): void {
  if (!hasMethods(value, ['read'])) throw optionError(name, value, 'a credential, such as cookieCredential()')
  const credential = value as Record<string, unknown>
  for (const key of ['name', 'header']) {
    if (typeof credential[key] !== 'string') throw optionError(`${name}.${key}`, credential[key], 'a string')
  }
  const { challenge, ambient, idleTimeout, absoluteTimeout } = credential
  if (challenge !== null && typeof challenge !== 'string') {
    throw optionError(`${name}.challenge`, challenge, 'an authentication scheme, or null')
  }
  if (ambient !== undefined) checkBoolean(`${name}.ambient`, ambient)
  if (idleTimeout === undefined) {
    throw optionError(`${name}.idleTimeout`, idleTimeout, 'milliseconds, or null for no idle limit')
  }
  for (const key of ['write', 'clear', 'transportProblem']) {
    const method = credential[key]
    if (method !== undefined && typeof method !== 'function') {
      throw optionError(`${name}.${key}`, method, 'a function, or nothing')
    }
  }
  checkLifetimes({ idleTimeout, absoluteTimeout }, null)
}

/** A class where one of its instances belongs would be called without `new`. */
function isClass(value: unknown): boolean {
  return typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
}

function checkTracking(value: unknown): Settings['activityTracking'] {
  if (value === undefined || value === false) return null
  const name = 'activityTracking'
  if (typeof value !== 'object') {
    throw optionError(name, value, 'an object, where {} turns tracking on with its defaults, or false')
  }
  const given = checkObject(name, value, [
    'flushInterval',
    'flushTimeout',
    'maxBatchSize',
    'maxPending',
    'onFlushError',
  ])
  const { flushInterval = 30_000, flushTimeout = 5_000, maxBatchSize = 5_000, maxPending = 1_000_000 } = given
  const { onFlushError = () => {} } = given
  if (typeof onFlushError !== 'function')
    throw optionError(`${name}.onFlushError`, onFlushError, 'a function')
  return Object.freeze({
    flushInterval: checkDelay(`${name}.flushInterval`, flushInterval),
    flushTimeout: checkDelay(`${name}.flushTimeout`, flushTimeout),
    maxBatchSize: checkCount(`${name}.maxBatchSize`, maxBatchSize),
    maxPending: checkCount(`${name}.maxPending`, maxPending),
    onFlushError: onFlushError as (error: FlushError) => void,
  })
}

/** Checks and completes what was given to `app.register(gosesh, options)`; throws `GOSESH_ERR_OPTION`. */
export function parseOptions(options: GoseshOptions, app: FastifyInstance): Settings {
  checkObject('', options, [...known, ...fastifyKeys])
  const {
    store = new MemoryStore(),
    credentials = [cookieCredential()],
    logger = app.log,
    clock = Date,
  } = options
  const {
    refreshInterval = 60_000,
    storeTimeout = 2_000,
    sweepInterval,
    maxPendingStoreCalls = 1_000,
  } = options
  const {
    dangerouslyAllowCrossOriginRequests = false,
    bindSessionToLog = false,
    requireByDefault = false,
  } = options
  if (isClass(store)) throw optionError('store', store, 'an instance, such as new MemoryStore()')
  if (typeof clock?.now !== 'function') throw optionError('clock', clock, 'an object with the method now')
  return Object.freeze({
    store: typeof store === 'function' || isPromise(store) ? store : checkStore(store),
    credentials: checkCredentials(credentials),
    activityTracking: checkTracking(options.activityTracking),
    logger: typeof logger === 'function' ? logger : checkLogger(logger),
    refreshInterval: checkDelay('refreshInterval', refreshInterval),
    storeTimeout: checkDelay('storeTimeout', storeTimeout),
    sweepInterval:
      sweepInterval === null || sweepInterval === undefined
        ? sweepInterval
        : checkDelay('sweepInterval', sweepInterval, 'null for never'),
    maxPendingStoreCalls: checkCount('maxPendingStoreCalls', maxPendingStoreCalls),
    clock,
    trustedOrigins: checkOrigins(options.trustedOrigins),
    dangerouslyAllowCrossOriginRequests: checkBoolean(
      'dangerouslyAllowCrossOriginRequests',
      dangerouslyAllowCrossOriginRequests,
    ),
    ...checkPolicy(options),
    clearSiteData: checkClearSiteData(options.clearSiteData),
    bindSessionToLog: checkBoolean('bindSessionToLog', bindSessionToLog),
    requireByDefault: checkBoolean('requireByDefault', requireByDefault),
  })
}
