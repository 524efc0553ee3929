import type { CreateSessionOptions } from '../../types/options.js'
import type { SessionLifetime, SessionMetadata } from '../../types/session.js'
import { checkLifetimes, optionError } from '../check.js'
import { GoseshError } from '../errors.js'

const maxUserIdLength = 1_000
const maxMetadataBytes = 4_096

/** Returns the id; throws `GOSESH_ERR_USER_ID`: 400 for a string that is out of bounds, 500 for anything else. */
export function checkUserId(value: unknown): string {
  if (typeof value !== 'string') throw new GoseshError('GOSESH_ERR_USER_ID')
  // Characters, not UTF-16 units; the first comparison spares counting those of a huge string.
  const tooLong =
    value.length > 2 * maxUserIdLength ||
    (value.length > maxUserIdLength && [...value].length > maxUserIdLength)
  if (value === '' || tooLong || value.includes('\0') || !value.isWellFormed()) {
    throw new GoseshError('GOSESH_ERR_USER_ID', { statusCode: 400 })
  }
  return value
}

/** The options of `createSession`. */
export const createSessionKeys: readonly (keyof CreateSessionOptions)[] = [
  'idleTimeout',
  'absoluteTimeout',
  'metadata',
]

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** A frozen copy of the metadata; throws `GOSESH_ERR_METADATA`. */
export function checkMetadata(value: unknown): SessionMetadata | null {
  if (value === undefined || value === null) return null
  if (!isPlainObject(value)) throw new GoseshError('GOSESH_ERR_METADATA')
  const entries = Object.entries(value)
  const text = entries
    .flat()
    .every((part) => typeof part === 'string' && part.isWellFormed() && !part.includes('\0'))
  if (!text) throw new GoseshError('GOSESH_ERR_METADATA')
  const copy = Object.freeze(Object.fromEntries(entries)) as SessionMetadata
  if (Buffer.byteLength(JSON.stringify(copy)) > maxMetadataBytes) throw new GoseshError('GOSESH_ERR_METADATA')
  return copy
}

/** The lifetime of a new session: what the options say, else the credential's; throws `GOSESH_ERR_OPTION`. */
export function sessionLifetime(
  options: CreateSessionOptions,
  defaults: SessionLifetime & { readonly maxAbsoluteTimeout?: number },
): SessionLifetime {
  const { idleTimeout, absoluteTimeout = defaults.absoluteTimeout } = options
  const lifetime = checkLifetimes({ idleTimeout, absoluteTimeout }, defaults.idleTimeout)
  const max = defaults.maxAbsoluteTimeout
  if (max === undefined || absoluteTimeout <= max) return lifetime
  throw optionError(
    'absoluteTimeout',
    absoluteTimeout,
    `at most ${max}, the longest that this credential can carry`,
  )
}
