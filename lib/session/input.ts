import type { CreateSessionOptions, MetadataPatch, ReauthenticateOptions } from '../../types/options.js'
import type { SessionLifetime, SessionMetadata } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { checkLifetimes, optionError, parseDate } from '../core/validation.js'

const maxUserIdLength = 1_000
const maxMetadataBytes = 4_096

/** Returns the id; throws `GOSESH_ERR_USER_ID`: 400 for a string that is out of bounds, 500 for anything else. */
export function checkUserId(value: unknown): string {
  if (typeof value !== 'string') {
    const shown =
      typeof value === 'number' || typeof value === 'bigint'
        ? `the ${typeof value} ${value}`
        : `${value === null ? null : typeof value}`
    throw new GoseshError('GOSESH_ERR_USER_ID', {
      message: `A user id is a string, not ${shown}; for a number give String(id)`,
    })
  }
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
  'createdAt',
  'authenticatedAt',
  'factors',
  'persistent',
  'metadata',
]

/** The options of `reauthenticate`. */
export const reauthenticateKeys: readonly (keyof ReauthenticateOptions)[] = [
  'factors',
  'authenticatedAt',
  'metadata',
]

function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

function metadataError(problem: string, statusCode: number): GoseshError {
  const message = `Session metadata must be a plain object of strings, at most 4 KiB as JSON; ${problem}`
  return new GoseshError('GOSESH_ERR_METADATA', { message, statusCode })
}

function checkMetadataText(key: string, text: unknown): string {
  const shown = JSON.stringify(key.slice(0, 60))
  if (typeof text !== 'string')
    throw metadataError(`${shown} is ${text === null ? 'null' : typeof text}`, 500)
  if ([key, text].every((part) => part.isWellFormed() && !part.includes('\0'))) return text
  throw metadataError(`${shown} has a NUL or a lone surrogate`, 400)
}

/**
 * A frozen copy of the metadata. Throws `GOSESH_ERR_METADATA`: 400 for strings that are out of bounds, as a client may
 * have sent them, 500 for anything else.
 */
export function parseMetadata(value: unknown): SessionMetadata | null {
  if (value === undefined || value === null) return null
  if (!isPlainObject(value)) {
    throw metadataError(`it is ${Array.isArray(value) ? 'an array' : `a ${typeof value}`}`, 500)
  }
  const entries = Object.entries(value)
  for (const [key, text] of entries) checkMetadataText(key, text)
  const copy = Object.freeze(Object.fromEntries(entries)) as SessionMetadata
  const size = Buffer.byteLength(JSON.stringify(copy))
  if (size <= maxMetadataBytes) return copy
  throw metadataError(`it has ${size} bytes, most of them in ${longestKey(entries)}`, 400)
}

/** The same for a new session, without the keys whose value is `undefined`, such as a header that was not sent. */
export function parseNewMetadata(value: unknown): SessionMetadata | null {
  if (!isPlainObject(value)) return parseMetadata(value)
  return parseMetadata(Object.fromEntries(Object.entries(value).filter(([, text]) => text !== undefined)))
}

function longestKey(entries: readonly (readonly [string, string])[]): string {
  const [[key]] = entries.toSorted(([, a], [, b]) => b.length - a.length) as [readonly [string, string]]
  return JSON.stringify(key.slice(0, 60))
}

/** Returns a copy of the patch; throws `GOSESH_ERR_METADATA` as `parseMetadata` does. */
export function parseMetadataPatch(value: unknown): MetadataPatch {
  if (!isPlainObject(value)) throw metadataError(`the patch is ${value === null ? null : typeof value}`, 500)
  const patch = Object.entries(value).filter(([, text]) => text !== undefined)
  for (const [key, text] of patch) checkMetadataText(key, text === null ? '' : text)
  return Object.fromEntries(patch)
}

/** What gosesh/oauth keeps with a session begins with this, and says whose it is. */
const reservedPrefix = 'oidc_'
/** As JSON, in UTF-8. */
const maxPatchBytes = 2 * maxMetadataBytes

/** Returns the patch; throws `GOSESH_ERR_METADATA` if an application may not make it, as a client may have sent it. */
export function checkMetadataPatch(patch: MetadataPatch): MetadataPatch {
  const reserved = Object.keys(patch).find((key) => key.startsWith(reservedPrefix))
  if (reserved !== undefined) {
    throw metadataError(`${JSON.stringify(reserved.slice(0, 60))} belongs to gosesh/oauth`, 400)
  }
  const size = Buffer.byteLength(JSON.stringify(patch))
  if (size <= maxPatchBytes) return patch
  throw metadataError(`the patch has ${size} bytes`, 400)
}

/** The metadata after a patch; `null` if nothing is left. Throws `GOSESH_ERR_METADATA` if it becomes too large. */
export function patchMetadata(
  metadata: SessionMetadata | null,
  patch: MetadataPatch,
): SessionMetadata | null {
  const patched = { ...metadata, ...patch }
  const kept = Object.entries(patched).filter(([, text]) => text !== null && text !== undefined)
  return kept.length === 0 ? null : parseMetadata(Object.fromEntries(kept))
}

/** A time that a session carries on, between `earliest` and now; throws `GOSESH_ERR_OPTION`. */
export function parsePastTime(name: string, value: unknown, earliest: number, now: number): number {
  const time = parseDate(name, value)
  if (time > now) throw optionError(name, value, 'a time that is not in the future')
  if (time >= earliest) return time
  throw optionError(name, value, 'a time since which a session would still be alive')
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
