import type { GoseshErrorCode } from '../../types/errors.js'
import { GoseshError } from '../core/errors.js'

/** What openid-client and jose put on their errors. */
interface LibraryError {
  readonly name?: unknown
  readonly message?: unknown
  readonly code?: unknown
  /** An error code of RFC 6749. */
  readonly error?: unknown
  readonly error_description?: unknown
  readonly status?: unknown
  readonly cause?: unknown
}

const maxDepth = 4

const byOAuthError: ReadonlyMap<unknown, GoseshErrorCode> = new Map([
  ['access_denied', 'GOSESH_ERR_OAUTH_ACCESS_DENIED'],
  // What Apple says instead.
  ['user_cancelled_authorize', 'GOSESH_ERR_OAUTH_ACCESS_DENIED'],
  // The code was used before, has expired, or belongs to another verifier.
  ['invalid_grant', 'GOSESH_ERR_OAUTH_TRANSACTION'],
  ['temporarily_unavailable', 'GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'],
])
const unreachable = new Set<unknown>(['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'ERR_JWKS_TIMEOUT', 'ERR_JOSE_GENERIC'])
const unverified = new Set<unknown>([
  'OAUTH_INVALID_RESPONSE',
  'OAUTH_JWT_CLAIM_COMPARISON_FAILED',
  'OAUTH_JWT_TIMESTAMP_CHECK_FAILED',
  'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED',
  'OAUTH_KEY_SELECTION_FAILED',
])

function fieldsOf(error: unknown): LibraryError {
  return typeof error === 'object' && error !== null ? error : {}
}

function isBusy(status: unknown): boolean {
  return typeof status === 'number' && (status >= 500 || status === 429)
}

/** True if there was no answer, or half of one: what `fetch`, and reading its body, reject with. */
function isCutShort(error: unknown): boolean {
  const { name, code } = fieldsOf(error)
  return name === 'TimeoutError' || (error instanceof TypeError && code === undefined)
}

function codeOf(error: unknown): GoseshErrorCode {
  const { code, error: oauthError, status, cause } = fieldsOf(error)
  const known = byOAuthError.get(oauthError)
  if (known !== undefined) return known
  if (unverified.has(code)) return 'GOSESH_ERR_OAUTH_VERIFICATION'
  if (isCutShort(error) || unreachable.has(code) || isBusy(status) || isBusy(fieldsOf(cause).status)) {
    return 'GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'
  }
  const isJose = typeof code === 'string' && /^ERR_(?:JW|JOSE)/.test(code)
  return isJose ? 'GOSESH_ERR_OAUTH_VERIFICATION' : 'GOSESH_ERR_OAUTH_PROVIDER'
}

/** Text of a provider for the log: short, one line, and without anything as long as a code or a token. */
function redact(text: unknown): string {
  // An error code of RFC 6749.
  if (/^[a-z_]{1,40}$/.test(String(text))) return String(text)
  return String(text)
    .replace(/[\w.~+/=%-]{16,}/g, '…')
    .replace(/\p{Cc}+/gu, ' ')
    .slice(0, 300)
}

/** The same error without what may hold secrets: claims, tokens, responses, parameters. All in its message, as pino shows no more of a cause. */
function scrub(error: unknown, depth = 0): Error {
  const {
    name = 'Error',
    message,
    error: oauthError,
    error_description: description,
    cause,
  } = fieldsOf(error)
  const said = [message ?? error, oauthError, description].filter((part) => part !== undefined).map(redact)
  const deeper = cause instanceof Error && depth < maxDepth ? { cause: scrub(cause, depth + 1) } : undefined
  const clean = Object.assign(new Error(said.join(': '), deeper), { name: String(name).slice(0, 60) })
  clean.stack = `${clean.name}: ${clean.message}`
  return clean
}

/** Runs `work`; rejects with a `GoseshError` for what openid-client, jose or `fetch` failed with. Its cause says no secret. */
export async function withProvider<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { cause } = fieldsOf(error)
    for (const own of [error, cause]) if (own instanceof GoseshError) throw own
    throw new GoseshError(codeOf(error), { cause: scrub(error) })
  }
}

/** `GOSESH_ERR_OAUTH_VERIFICATION`, with what did not verify as its cause. */
export function unverifiedError(what: string): GoseshError {
  return new GoseshError('GOSESH_ERR_OAUTH_VERIFICATION', { cause: new Error(what) })
}
