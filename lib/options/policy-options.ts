import type { ClearSiteDataType, GoseshOptions, SessionLimitOptions } from '../../types/options.js'
import { checkCount, checkLifetime, checkObject, optionError, parseDate } from '../core/validation.js'
import type { Context } from '../session/context.js'

const clearSiteDataTypes: readonly unknown[] = [
  'cache',
  'cookies',
  'storage',
  'executionContexts',
  '*',
] satisfies ClearSiteDataType[]

/** True if the text is an origin as browsers write it (RFC 6454, section 6.2). */
function isOrigin(value: unknown): boolean {
  return (
    typeof value === 'string' && value !== 'null' && URL.canParse(value) && new URL(value).origin === value
  )
}

/** The option `trustedOrigins`: a frozen copy; throws `GOSESH_ERR_OPTION`. */
export function checkOrigins(value: unknown): readonly string[] {
  if (value === undefined) return []
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

/** The option `clearSiteData`: a frozen copy; throws `GOSESH_ERR_OPTION`. */
export function checkClearSiteData(value: unknown): readonly ClearSiteDataType[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every((type) => clearSiteDataTypes.includes(type))) {
    return Object.freeze([...value])
  }
  throw optionError('clearSiteData', value, `a list of ${clearSiteDataTypes.join(', ')}`)
}

function checkSessionLimit(value: unknown): Required<SessionLimitOptions> | null {
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

function checkNotBefore(value: unknown): number {
  if (value === undefined) return Number.NEGATIVE_INFINITY
  return parseDate('notBefore', value)
}

/** The options that hold for every session; throws `GOSESH_ERR_OPTION`. */
export function checkPolicy({
  maxSessionsPerUser,
  notBefore,
  maxAge,
}: GoseshOptions): Pick<Context, 'notBefore' | 'maxAge' | 'maxSessionsPerUser'> {
  return Object.freeze({
    maxSessionsPerUser: checkSessionLimit(maxSessionsPerUser),
    notBefore: checkNotBefore(notBefore),
    maxAge: maxAge === undefined ? Number.POSITIVE_INFINITY : checkLifetime('maxAge', maxAge),
  })
}
