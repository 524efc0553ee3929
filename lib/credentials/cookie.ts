import type { CookieSerializeOptions } from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { CookieCredentialOptions, Credential } from '../../types/credential.js'
import { cookieAttributes, cookieValue } from '../core/cookies.js'
import {
  checkBoolean,
  checkCookieName,
  checkLifetimes,
  checkObject,
  checkText,
  isLoopback,
  optionError,
} from '../core/validation.js'

const minute = 60_000
const day = 24 * 60 * minute
/** What RFC 6265bis, section 5.5, lets a cookie live. */
const maxCookieLifetime = 400 * day

/** The options of the cookie itself. */
export const cookieOptionNames: readonly string[] = [
  'name',
  'domain',
  'path',
  'sameSite',
  'secure',
  'partitioned',
]
const known = [...cookieOptionNames, 'idleTimeout', 'absoluteTimeout']
const cookieDomain = /^\.?[a-z\d](?:[a-z\d.-]*[a-z\d])?$/i
const cookiePath = /^\/[\x20-\x3a\x3c-\x7e]*$/

interface CookieAttributes {
  readonly domain: string | undefined
  readonly path: string
  readonly sameSite: 'strict' | 'lax' | 'none'
  readonly secure: boolean
  readonly partitioned: boolean
}

function parseAttributes(given: Record<string, unknown>): CookieAttributes {
  const { domain, path = '/', sameSite = 'lax', secure = true, partitioned = false } = given
  if (sameSite !== 'strict' && sameSite !== 'lax' && sameSite !== 'none') {
    throw optionError('sameSite', sameSite, "'strict', 'lax' or 'none'")
  }
  const attributes = {
    domain: domain === undefined ? undefined : checkText('domain', domain, 'a domain name', cookieDomain),
    path: checkText('path', path, 'a path that begins with /', cookiePath),
    sameSite,
    secure: checkBoolean('secure', secure),
    partitioned: checkBoolean('partitioned', partitioned),
  } as const
  if (!attributes.secure && sameSite === 'none')
    throw optionError('secure', false, 'true, as sameSite is none')
  if (!attributes.secure && attributes.partitioned) {
    throw optionError('secure', false, 'true, as the cookie is partitioned')
  }
  return attributes
}

/** The prefixes of RFC 6265bis, section 4.1.3; a browser drops a cookie that breaks their rules. */
function checkPrefix(name: string, { domain, path, secure }: CookieAttributes): void {
  const prefix = /^__(?:Host-Http|Host|Http|Secure)-/i.exec(name)?.[0].toLowerCase()
  if (prefix === undefined) return
  if (!secure) {
    const rest = name.slice(prefix.length) || 'session'
    throw optionError(
      'secure',
      secure,
      `true, as the name begins with ${prefix}; without TLS use name: '${rest}'`,
    )
  }
  if (!prefix.startsWith('__host-')) return
  if (domain !== undefined) throw optionError('domain', domain, `none, as the name begins with ${prefix}`)
  if (path !== '/') throw optionError('path', path, `/, as the name begins with ${prefix}`)
}

/**
 * The token in a cookie: `HttpOnly`, `Secure`, `SameSite=Lax`, `Path=/`, `Max-Age` up to the absolute deadline
 * (OWASP ASVS 3.3, RFC 6265bis). Throws `GOSESH_ERR_OPTION` on a wrong option.
 */
export function cookieCredential(options: CookieCredentialOptions = {}): Credential {
  const given = checkObject('cookieCredential', options, known)
  const { name: givenName = '__Host-session', idleTimeout, absoluteTimeout = day } = given
  const name = checkCookieName('name', givenName)
  const attributes = parseAttributes(given)
  checkPrefix(name, attributes)
  const lifetimes = checkLifetimes({ idleTimeout, absoluteTimeout }, 30 * minute)
  if (lifetimes.absoluteTimeout > maxCookieLifetime) {
    throw optionError('absoluteTimeout', absoluteTimeout, `at most 400 days (${maxCookieLifetime})`)
  }
  // All that @fastify/cookie's own defaults (parseOptions) could otherwise change about the session cookie.
  const reset = { signed: false, expires: undefined, encode: undefined }
  const common = { ...attributes, httpOnly: true, ...reset } as CookieSerializeOptions

  return Object.freeze({
    name: 'cookie',
    header: 'Cookie',
    cookieName: name,
    [cookieAttributes]: common,
    challenge: null,
    ...lifetimes,
    maxAbsoluteTimeout: maxCookieLifetime,
    read(request: FastifyRequest) {
      const { cookie } = request.headers
      return cookie === undefined ? null : cookieValue(cookie, name)
    },
    write(reply: FastifyReply, token: string, maxAge: number | null) {
      // Given also if it is undefined, against a default of @fastify/cookie's parseOptions.
      reply.setCookie(name, token, { ...common, maxAge: maxAge ?? undefined } as CookieSerializeOptions)
    },
    clear(reply: FastifyReply) {
      reply.clearCookie(name, common)
    },
    transportProblem(request: FastifyRequest) {
      // `request.ips` is there only with `trustProxy`; then `protocol` is what the proxy says.
      if (
        !attributes.secure ||
        request.protocol === 'https' ||
        request.ips !== undefined ||
        isLoopback(request.hostname)
      )
        return null
      return `The cookie ${name} is Secure, and this request came over plain http: behind a TLS proxy set Fastify's trustProxy, without TLS set cookieCredential({ name: 'session', secure: false })`
    },
  })
}
