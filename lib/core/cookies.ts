import type { CookieSerializeOptions } from '@fastify/cookie'
import type { Credential } from '../../types/credential.js'

/** On a credential: the attributes of its cookie, for a second cookie that goes with it. */
export const cookieAttributes = Symbol('gosesh.cookieAttributes')

/** The attributes of the credential's cookie; `null` if it is none of `cookieCredential`. */
export function attributesOf(credential: Credential): CookieSerializeOptions | null {
  return (credential as { [cookieAttributes]?: CookieSerializeOptions })[cookieAttributes] ?? null
}

/**
 * Returns the value of the first cookie of exactly this name, or `null`. RFC 6265bis, section 5.7.1, trims spaces and
 * tabs, and nothing else: a parser that trims further white space takes `\xa0__Host-session`, which any neighbouring host
 * can set, for `__Host-session`.
 */
export function cookieValue(header: string, name: string): string | null {
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals !== -1 && trimmed(pair.slice(0, equals)) === name) return trimmed(pair.slice(equals + 1))
  }
  return null
}

function trimmed(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text, start)) start++
  while (end > start && isBlank(text, end - 1)) end--
  return text.slice(start, end)
}

function isBlank(text: string, index: number): boolean {
  return text[index] === ' ' || text[index] === '\t'
}
