import type { FastifyInstance } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { ActivityTrackingOptions, GoseshOptions, SessionCacheOptions } from '../../types/options.js'
import type { EffectivePolicy } from '../../types/policy.js'
import type { FlushError } from '../core/errors.js'
import {
  checkBoolean,
  checkCount,
  checkCountOrNone,
  checkDelay,
  checkFunction,
  checkLifetime,
  checkObject,
  optionError,
  parseDate,
} from '../core/validation.js'
import { cookieCredential, cookieOptionNames } from '../credentials/cookie.js'
import { parseDeviceBinding } from '../device-binding/options.js'
import { MemoryStore } from '../stores/memory/store.js'
import { parseCredentials, showCredentials } from './credentials.js'
import {
  parseClearSiteData,
  parseClock,
  parseDecorateAs,
  parseLogger,
  parseOrigins,
  parseSessionLimit,
  parseStore,
} from './values.js'

/** One option, from what is given to what is in force. */
export interface Option<S> {
  /** The complete setting; `value` is `undefined` if the option is not given. Throws `GOSESH_ERR_OPTION`. */
  parse(value: unknown, app: FastifyInstance): S
  /** What `app.gosesh.policy` shows of the setting; without it, the option is not shown. */
  show?(setting: S): Partial<EffectivePolicy>
}

/** For its types: the setting is what `parse` returns. */
function option<S>(given: Option<S>): Option<S> {
  return given
}

type OptionsOfTable = Record<
  string,
  { readonly parse: (name: string, value: unknown) => unknown; readonly standard: unknown }
>

/** The object of the option `name`, complete, frozen, and checked by its table. */
function parseTable(name: string, table: OptionsOfTable, value: unknown): Readonly<Record<string, unknown>> {
  const given = checkObject(name, value, Object.keys(table))
  const entries = Object.entries(table).map(([key, { parse, standard }]) => [
    key,
    parse(`${name}.${key}`, given[key] === undefined ? standard : given[key]),
  ])
  return Object.freeze(Object.fromEntries(entries))
}

/** Each option of `activityTracking`: its parser and its default. */
const trackingTable = {
  flushInterval: { parse: checkDelay, standard: 30_000 },
  flushTimeout: { parse: checkDelay, standard: 5_000 },
  maxBatchSize: { parse: checkCount, standard: 5_000 },
  maxPending: { parse: checkCount, standard: 1_000_000 },
  onFlushError: { parse: checkFunction<(error: FlushError) => void>, standard: () => {} },
} as const satisfies Record<keyof ActivityTrackingOptions, object>

type TrackingSettings = {
  readonly [K in keyof typeof trackingTable]: ReturnType<(typeof trackingTable)[K]['parse']>
}

function parseTracking(value: unknown): TrackingSettings | null {
  if (value === undefined || value === false) return null
  const name = 'activityTracking'
  if (typeof value !== 'object') {
    throw optionError(name, value, 'an object, where {} turns tracking on with its defaults, or false')
  }
  return parseTable(name, trackingTable, value) as TrackingSettings
}

/** Each option of `sessionCache`: its parser and its default. */
const cacheTable = {
  maxStaleness: { parse: checkDelay, standard: 2_000 },
  pollInterval: { parse: checkDelay, standard: 100 },
  maxSessions: { parse: checkCountOrNone, standard: 100_000 },
  maxEntryAge: { parse: checkDelay, standard: 300_000 },
} as const satisfies Record<keyof SessionCacheOptions, object>

type CacheSettings = { readonly [K in keyof typeof cacheTable]: number }

/** So that the lease outlives a few polls that fail. */
const pollsPerLease = 4

function parseCache(value: unknown): CacheSettings | null {
  if (value === undefined || value === false) return null
  const name = 'sessionCache'
  if (typeof value !== 'object') {
    throw optionError(name, value, 'an object, where {} turns the cache on with its defaults, or false')
  }
  const settings = parseTable(name, cacheTable, value) as CacheSettings
  const { maxStaleness, pollInterval } = settings
  if (maxStaleness >= pollsPerLease * pollInterval) return settings
  const expected = `at least ${pollsPerLease} × pollInterval (${pollsPerLease * pollInterval})`
  throw optionError(`${name}.maxStaleness`, maxStaleness, expected)
}

interface DataSettings {
  readonly maxValueLength: number
  readonly maxKeys: number
}

function parseData(value: unknown = {}): DataSettings {
  const given = checkObject('data', value, ['maxValueLength', 'maxKeys'])
  const { maxValueLength = 16_384, maxKeys = 50 } = given
  return Object.freeze({
    maxValueLength: checkCount('data.maxValueLength', maxValueLength),
    maxKeys: checkCount('data.maxKeys', maxKeys),
  })
}

const day = 86_400_000
/** What RFC 6265bis, section 5.5, lets a cookie live. */
const longestVisit = 400 * day

interface VisitorSettings {
  readonly idleTimeout: number
  readonly credential: Credential
}

function parseVisitors(value: unknown): VisitorSettings | null {
  if (value === undefined || value === false) return null
  const { idleTimeout = 7 * day, cookie = {} } = checkObject('visitors', value, ['idleTimeout', 'cookie'])
  const checked = checkLifetime('visitors.idleTimeout', idleTimeout)
  if (checked > longestVisit)
    throw optionError('visitors.idleTimeout', checked, `at most 400 days (${longestVisit})`)
  const credential = cookieCredential({
    name: '__Host-visitor',
    ...checkObject('visitors.cookie', cookie, cookieOptionNames),
    idleTimeout: checked,
    absoluteTimeout: longestVisit,
  })
  return Object.freeze({ idleTimeout: checked, credential })
}

/** Every option of `app.register(gosesh, options)`: settings, known names and `app.gosesh.policy` come from here. */
export const optionTable = {
  store: option({ parse: (value) => parseStore(value === undefined ? new MemoryStore() : value) }),
  credentials: option({
    parse: (value) => parseCredentials(value === undefined ? [cookieCredential()] : value),
    show: (credentials) => ({ credentials: showCredentials(credentials) }),
  }),
  activityTracking: option({
    parse: parseTracking,
    show(tracking) {
      if (tracking === null) return { activityTracking: null }
      const { onFlushError: _, ...shown } = tracking
      return { activityTracking: shown }
    },
  }),
  sessionCache: option({ parse: parseCache, show: (sessionCache) => ({ sessionCache }) }),
  logger: option({ parse: (value, app) => parseLogger(value === undefined ? app.log : value) }),
  refreshInterval: option({
    parse: (value = 60_000) => checkDelay('refreshInterval', value),
    show: (refreshInterval) => ({ refreshInterval }),
  }),
  storeTimeout: option({
    parse: (value = 2_000) => checkDelay('storeTimeout', value),
    show: (storeTimeout) => ({ storeTimeout }),
  }),
  maxPendingStoreCalls: option({
    parse: (value = 1_000) => checkCount('maxPendingStoreCalls', value),
    show: (maxPendingStoreCalls) => ({ maxPendingStoreCalls }),
  }),
  // `undefined` stays: only the store decides if there is anything to sweep.
  sweepInterval: option({
    parse: (value) =>
      value === undefined || value === null ? value : checkDelay('sweepInterval', value, 'null for never'),
  }),
  clock: option({ parse: parseClock }),
  trustedOrigins: option({
    parse: (value = []) => parseOrigins(value),
    show: (trustedOrigins) => ({ trustedOrigins }),
  }),
  dangerouslyAllowCrossOriginRequests: option({
    parse: (value = false) => checkBoolean('dangerouslyAllowCrossOriginRequests', value),
    show: (allowed) => ({ crossOriginProtection: !allowed }),
  }),
  maxSessionsPerUser: option({
    parse: parseSessionLimit,
    show: (maxSessionsPerUser) => ({ maxSessionsPerUser }),
  }),
  notBefore: option({
    parse: (value) => (value === undefined ? Number.NEGATIVE_INFINITY : parseDate('notBefore', value)),
    show: (time) => ({ notBefore: Number.isFinite(time) ? new Date(time).toISOString() : null }),
  }),
  maxAge: option({
    parse: (value) => (value === undefined ? Number.POSITIVE_INFINITY : checkLifetime('maxAge', value)),
    show: (maxAge) => ({ maxAge: Number.isFinite(maxAge) ? maxAge : null }),
  }),
  clearSiteData: option({
    parse: (value = []) => parseClearSiteData(value),
    show: (clearSiteData) => ({ clearSiteData }),
  }),
  visitors: option({
    parse: parseVisitors,
    show: (visitors) => ({
      visitors: visitors && {
        idleTimeout: visitors.idleTimeout,
        cookieName: String(visitors.credential.cookieName),
      },
    }),
  }),
  deviceBinding: option({
    parse: (value, app) => parseDeviceBinding(value, app.prefix),
    show(binding) {
      if (binding === null) return { deviceBinding: null }
      const { secrets: _, ...shown } = binding
      return { deviceBinding: shown }
    },
  }),
  decorateAs: option({ parse: parseDecorateAs, show: (decorateAs) => ({ decorateAs }) }),
  data: option({ parse: parseData, show: (data) => ({ data }) }),
  bindSessionToLog: option({
    parse: (value = false) => checkBoolean('bindSessionToLog', value),
    show: (bindSessionToLog) => ({ bindSessionToLog }),
  }),
  requireByDefault: option({
    parse: (value = false) => checkBoolean('requireByDefault', value),
    show: (requireByDefault) => ({ requireByDefault }),
  }),
} satisfies Record<keyof GoseshOptions, unknown>
