import type { UpsertUser } from '../../core/validation.js'
import { optionError } from '../../core/validation.js'

/** The option `prefix`. */
export function checkPrefix(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.isWellFormed()) return value
  throw optionError('prefix', value, 'a non-empty, well-formed string')
}

export interface RedisStoreOptions {
  /** What every key begins with. Default: `gosesh:`. */
  readonly prefix?: string | undefined
  /**
   * Milliseconds for which a session is kept past its deadline, so that a late flush still finds it. At least
   * 2 × `flushInterval` + `flushTimeout` + `storeTimeout`. Default: 300,000.
   */
  readonly grace?: number | undefined
  /**
   * Keys of the metadata by which `deleteSessionsByMetadata` finds sessions that were created since the key is named
   * here, beside `oidc_sid` and `oidc_sub`. Default: none.
   */
  readonly indexedMetadata?: readonly string[] | undefined
  /** For an application with users of its own. Default: an id derived from the auth provider id, kept in Redis. */
  readonly upsertUser?: UpsertUser | undefined
}
