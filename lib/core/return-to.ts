import type { ReturnToOptions } from '../../types/return-to.js'
import { checkObject, checkOrigin, checkPath, optionError } from './validation.js'

interface Destinations {
  /** `null`: not named. */
  readonly origin: string | null
  readonly allowedOrigins: readonly string[]
  readonly fallback: string
}

/** Leaves room for the rest of a transaction in a cookie. */
const maxLength = 2_000
/** A path with one slash, or a URL with its scheme and host written out. Every other form is read in several ways. */
const shape = /^(?:\/(?![/\\])|https?:\/\/[^/\\])/i
/** Control characters and spaces are dropped, and backslashes are turned, by what reads a URL. */
const ambiguous = /[\p{Cc}\s\\]/u
/** What paths are read against if the own origin is not named. */
const unnamed = 'https://unnamed.invalid'

function parse(options: ReturnToOptions): Destinations {
  checkObject('returnTo', options, ['origin', 'allowedOrigins', 'fallback'])
  const { origin, allowedOrigins = [], fallback = '/' } = options
  if (!Array.isArray(allowedOrigins)) throw optionError('allowedOrigins', allowedOrigins, 'a list of origins')
  for (const [index, allowed] of allowedOrigins.entries()) {
    checkOrigin(`allowedOrigins[${index}]`, allowed, true)
  }
  return {
    origin: origin === undefined ? null : checkOrigin('origin', origin, true),
    allowedOrigins,
    fallback: checkPath('fallback', fallback),
  }
}

function parseUrl(value: string, base: string): URL | null {
  if (value.length > maxLength || ambiguous.test(value) || !shape.test(value)) return null
  if (!URL.canParse(value, base)) return null
  const url = new URL(value, base)
  return url.username === '' && url.password === '' && url.href.length <= maxLength ? url : null
}

/** The path of a URL on an origin that has no name; `null` if a browser would take it for a host, as of `/.//host`. */
function asPath({ pathname, search, hash }: URL): string | null {
  return pathname.startsWith('//') ? null : `${pathname}${search}${hash}`
}

function permitted(value: string, { origin, allowedOrigins }: Destinations): string | null {
  const url = parseUrl(value, origin ?? unnamed)
  if (url === null) return null
  if (url.origin === origin || allowedOrigins.includes(url.origin)) return url.href
  return origin === null && value.startsWith('/') ? asPath(url) : null
}

/**
 * Where a browser may go after sign-in: `value` if it leads to the application itself or to one of `allowedOrigins`, else
 * `fallback`. With `origin` always an absolute URL, so that no path is taken for a host; without it a path. Throws
 * `GOSESH_ERR_OPTION`. OWASP Unvalidated Redirects; RFC 9700, section 4.11.
 */
export function returnTo(value: unknown, options: ReturnToOptions = {}): string {
  const destinations = parse(options)
  const { origin, fallback } = destinations
  const url = typeof value === 'string' ? permitted(value, destinations) : null
  return url ?? (origin === null ? fallback : new URL(fallback, origin).href)
}
