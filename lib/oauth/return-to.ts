export interface ReturnSettings {
  readonly origin: string
  readonly allowedReturnOrigins: readonly string[]
  /** A path on `origin`. */
  readonly defaultPage: string
}

/** Leaves room for the rest of a transaction in a cookie. */
const maxLength = 2_000
/** A path with one slash, or a URL with its scheme and host written out. Every other form is read in several ways. */
const shape = /^(?:\/(?![/\\])|https?:\/\/[^/\\])/i
/** Control characters and spaces are dropped, and backslashes are turned, by what reads a URL. */
const ambiguous = /[\p{Cc}\s\\]/u

function permitted(next: string, { origin, allowedReturnOrigins }: ReturnSettings): URL | null {
  if (next.length > maxLength || ambiguous.test(next) || !shape.test(next)) return null
  if (!URL.canParse(next, origin)) return null
  const url = new URL(next, origin)
  if (url.username !== '' || url.password !== '' || url.href.length > maxLength) return null
  return url.origin === origin || allowedReturnOrigins.includes(url.origin) ? url : null
}

/**
 * Where a browser may go after sign-in: `next` where it leads to the own origin or to a listed one, else the default
 * page. Always an absolute URL, so that no path is taken for a host. OWASP Unvalidated Redirects; RFC 9700, section 4.11.
 */
export function returnTo(next: unknown, settings: ReturnSettings): string {
  const url = typeof next === 'string' ? permitted(next, settings) : null
  return (url ?? new URL(settings.defaultPage, settings.origin)).href
}
