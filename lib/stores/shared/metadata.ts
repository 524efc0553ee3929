import { hash } from 'node:crypto'
import type { SessionMetadata } from '../../../types/session.js'
import { checkText, optionError } from '../../core/validation.js'
import { unreadable } from './unreadable.js'

/** One fact of a session's metadata. */
export type MetadataPair = readonly [key: string, value: string]

/** What a logout token names (OpenID Connect Back-Channel Logout 1.0). Fewer sessions share the first. */
const logoutKeys = ['oidc_sid', 'oidc_sub']

/**
 * The option `indexedMetadata` of a store: the keys by which it finds sessions without reading all of them, those that
 * `gosesh/oauth` needs included. Throws `GOSESH_ERR_OPTION`.
 */
export function parseIndexedMetadata(value: unknown = []): readonly string[] {
  if (!Array.isArray(value)) throw optionError('indexedMetadata', value, 'an array of metadata keys')
  const expected = '1 to 100 characters, without control characters, quotes, backslashes and lone surrogates'
  for (const [index, key] of value.entries()) {
    checkText(`indexedMetadata[${index}]`, key, expected, /^[^\p{Cc}\p{Cs}"'\\]{1,100}$/u)
  }
  return Object.freeze([...new Set<string>([...logoutKeys, ...value])])
}

/** A name for what finds sessions by this key: in every database an identifier without quotes. */
export function metadataIndexName(key: string): string {
  return `m_${hash('sha256', key).slice(0, 8)}`
}

/** The first of the keys that is among the pairs. */
export function keyAmong(keys: readonly string[], pairs: SessionMetadata): string | undefined {
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
