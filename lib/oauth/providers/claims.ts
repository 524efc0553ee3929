import type { OAuthProvider, OAuthSignIn } from '../../../types/oauth.js'
import { unverifiedError } from '../failure.js'

/** Milliseconds by which the clock of a provider may be slow. */
const clockTolerance = 30_000

/**
 * Throws if the provider does not say that the user signed in since `earliest`: a browser can change what it is asked. It
 * can date back its cookie too, but by no more than a transaction may take.
 */
export function checkAuthTime(authTime: unknown, earliest: number): void {
  if (typeof authTime === 'number' && authTime * 1_000 >= earliest - clockTolerance) return
  throw unverifiedError('the user signed in at the provider before what max_age or prompt=login asked for')
}

/** Throws if the provider does not say that the user signed in in one of these ways; a provider may ignore the question. */
export function checkAcr(acr: unknown, acrValues: readonly string[]): void {
  if (acrValues.length === 0 || (typeof acr === 'string' && acrValues.includes(acr))) return
  throw unverifiedError('the user did not sign in at the provider in a way that acr_values asked for')
}

/** When the user signed in at the provider; `null` if it does not say so, or not in a way that can be read. */
export function authTimeOf(claims: OAuthSignIn['claims']): Date | null {
  const time = claims?.auth_time
  const date = new Date(typeof time === 'number' ? time * 1_000 : Number.NaN)
  return Number.isNaN(date.getTime()) ? null : date
}

/** What the provider's own options demand, in milliseconds; `null`: nothing. */
export function maxAgeOf(provider: OAuthProvider): number | null {
  return provider.kind === 'oidc' ? provider.maxAge : null
}

/** The shorter of two ages; `null`: any. */
export function strictest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b
  return Math.min(a, b)
}
