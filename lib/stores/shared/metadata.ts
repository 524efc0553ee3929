import type { SessionMetadata } from '../../../types/session.js'
import { unreadable } from './unreadable.js'

/** One fact of a session's metadata. */
export type MetadataPair = readonly [key: string, value: string]

/**
 * The keys that sessions can be found by without reading all of them; the one that fewer sessions share comes first.
 * They are what a logout token of OpenID Connect Back-Channel Logout 1.0 names.
 */
export const indexedKeys = ['oidc_sid', 'oidc_sub'] as const

/** The first of the keys that is among the pairs. */
export function keyAmong<K extends string>(keys: readonly K[], pairs: SessionMetadata): K | undefined {
  return keys.find((key) => Object.hasOwn(pairs, key))
}

/** The facts with one of these keys. */
export function pairsOf(metadata: SessionMetadata | null, keys: readonly string[]): MetadataPair[] {
  if (metadata === null) return []
  return Object.entries(metadata).filter(([key]) => keys.includes(key))
}

/** True if the metadata holds all the pairs; no pairs are held by none. */
export function holdsPairs(metadata: SessionMetadata | null, pairs: readonly MetadataPair[]): boolean {
  if (metadata === null || pairs.length === 0) return false
  return pairs.every(([key, value]) => Object.hasOwn(metadata, key) && metadata[key] === value)
}

/** Parses metadata as it is stored. Throws `GOSESH_ERR_STORE_UNAVAILABLE` if it is not an object of strings. */
export function parseMetadata(json: string | null): SessionMetadata | null {
  if (json === null) return null
  let metadata: unknown
  try {
    metadata = JSON.parse(json)
  } catch {
    throw unreadable('metadata')
  }
  return checkMetadata(metadata)
}

/** Returns the metadata; throws `GOSESH_ERR_STORE_UNAVAILABLE` if it is not an object of strings. */
export function checkMetadata(metadata: unknown): SessionMetadata {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw unreadable('metadata')
  if (Object.values(metadata).some((value) => typeof value !== 'string')) throw unreadable('metadata')
  return metadata as SessionMetadata
}
