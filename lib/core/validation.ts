import { inspect } from 'node:util'
import type { SessionLifetime } from '../../types/session.js'
import { GoseshError } from './errors.js'

/** The longest delay that a Node timer takes; a longer one fires at once. */
const maxTimer = 2_147_483_647
/** Keeps every deadline inside what a `Date` and a SQL timestamp can hold. */
const maxLifetime = 100 * 365 * 86_400_000

function wrong(name: string, shown: string, expected: string): GoseshError {
  return new GoseshError('GOSESH_ERR_OPTION', { message: `Option ${name} is ${shown}; expected ${expected}` })
}

function show(value: unknown): string {
  return inspect(value, { depth: 0, maxStringLength: 60, maxArrayLength: 5, breakLength: Infinity })
}

/** A `GOSESH_ERR_OPTION` that names the option, the value and what would be right. */
export function optionError(name: string, value: unknown, expected: string): GoseshError {
  return wrong(name, show(value), expected)
}

/** The same for a value that may hold a secret, such as a connection string: only its kind is named. */
export function secretOptionError(name: string, value: unknown, expected: string): GoseshError {
  if (typeof value === 'string') return wrong(name, 'a string', expected)
  if (typeof value !== 'object' || value === null) return wrong(name, show(value), expected)
  return wrong(name, Array.isArray(value) ? 'an array' : 'an object', expected)
}

/** Finds or makes the user of an auth provider id, and resolves the user's id. */
export type UpsertUser = (authProviderId: string) => Promise<string>

/** The option `upsertUser` of a store. */
export function checkUpsertUser(value: unknown): UpsertUser | undefined {
  return checkOptionalFunction('upsertUser', value as UpsertUser | undefined)
}

/** A function, or `undefined` if the option is not given. */
export function checkOptionalFunction<F>(name: string, value: F | undefined): F | undefined {
  return value === undefined ? undefined : checkFunction<F>(name, value)
}

export function checkFunction<F>(name: string, value: unknown): F {
  if (typeof value === 'function') return value as F
  throw optionError(name, value, 'a function')
}

function checkInteger(name: string, value: unknown, max: number, expected: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= max) return value
  throw optionError(name, value, expected)
}

/** Milliseconds that a timer waits. `orElse` names what turns it off. */
export function checkDelay(name: string, value: unknown, orElse?: string): number {
  const expected = 'a whole number of milliseconds from 1 to 2,147,483,647'
  return checkInteger(name, value, maxTimer, orElse === undefined ? expected : `${expected}, or ${orElse}`)
}

/** How many of something. */
export function checkCount(name: string, value: unknown): number {
  return checkInteger(name, value, Number.MAX_SAFE_INTEGER, 'a whole number, 1 or more')
}

/** The same, or 0 for none. */
export function checkCountOrNone(name: string, value: unknown): number {
  return value === 0 ? 0 : checkInteger(name, value, Number.MAX_SAFE_INTEGER, 'a whole number, 0 or more')
}

/** Milliseconds for which a session lives. `orElse` names what turns the limit off. */
export function checkLifetime(name: string, value: unknown, orElse?: string): number {
  const expected = 'a whole number of milliseconds from 1 to 100 years'
  return checkInteger(name, value, maxLifetime, orElse === undefined ? expected : `${expected}, or ${orElse}`)
}

/**
 * A pair of session lifetimes, checked alone and against each other. The default idle timeout gives way to a shorter
 * absolute one; a given one does not.
 */
export function checkLifetimes(
  given: { readonly idleTimeout: unknown; readonly absoluteTimeout: unknown },
  defaultIdleTimeout: number | null,
): SessionLifetime {
  const absoluteTimeout = checkLifetime('absoluteTimeout', given.absoluteTimeout)
  if (given.idleTimeout === null) return { idleTimeout: null, absoluteTimeout }
  if (given.idleTimeout === undefined) {
    const idleTimeout = defaultIdleTimeout === null ? null : Math.min(defaultIdleTimeout, absoluteTimeout)
    return { idleTimeout, absoluteTimeout }
  }
  const idleTimeout = checkLifetime('idleTimeout', given.idleTimeout, 'null for no idle limit')
  if (idleTimeout <= absoluteTimeout) return { idleTimeout, absoluteTimeout }
  throw optionError('idleTimeout', idleTimeout, `at most absoluteTimeout (${absoluteTimeout}), or null`)
}

/** The time of a valid Date, of any realm, in milliseconds since the epoch. */
export function parseDate(name: string, value: unknown): number {
  const time = Object.prototype.toString.call(value) === '[object Date]' ? Number(value) : Number.NaN
  if (Number.isNaN(time)) throw optionError(name, value, 'a valid Date')
  return time
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw optionError(name, value, 'true or false')
}

/** A plain object with no key but the `known` ones. */
export function checkObject(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw optionError(name, value, 'an object')
  }
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue
    throw secretOptionError(
      name === '' ? key : `${name}.${key}`,
      (value as Record<string, unknown>)[key],
      `no such option; known are ${known.join(', ')}`,
    )
  }
  return value as Record<string, unknown>
}

/** An object with all of these methods. */
export function hasMethods(value: unknown, methods: readonly string[]): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function')
  )
}

export function checkText(name: string, value: unknown, expected: string, shape = /^\P{Cc}+$/u): string {
  if (typeof value === 'string' && shape.test(value)) return value
  throw optionError(name, value, expected)
}

/** True for the names of this machine. */
export function isLoopback(hostname: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/i.test(hostname)
}

/** True for an origin as browsers write it (RFC 6454, section 6.2). */
export function isOrigin(value: unknown): value is string {
  return (
    typeof value === 'string' && value !== 'null' && URL.canParse(value) && new URL(value).origin === value
  )
}

/** Returns the origin: https, or http on this machine, or http anywhere if `allowInsecure`. */
export function checkOrigin(name: string, value: unknown, allowInsecure: boolean): string {
  if (isOrigin(value)) {
    const { protocol, hostname } = new URL(value)
    const insecure = protocol === 'http:' && (allowInsecure || isLoopback(hostname))
    if (protocol === 'https:' || insecure) return value
  }
  const expected = 'an origin such as https://app.example: scheme and host, no path and no slash at the end'
  const onlyHttps = allowInsecure ? '' : '; http only on localhost, or with cookie.secure false'
  throw optionError(name, value, `${expected}${onlyHttps}`)
}

/** Returns the name of a cookie: a token of RFC 9110 (RFC 6265, section 4.1.1). */
export function checkCookieName(name: string, value: unknown): string {
  return checkText(name, value, 'a cookie name (letters, digits and -_.)', /^[\w!#$%&'*+.^`|~-]+$/)
}

/** A path on the own origin. */
export function checkPath(name: string, value: unknown): string {
  return checkText(name, value, 'a path that begins with one /', /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/)
}
