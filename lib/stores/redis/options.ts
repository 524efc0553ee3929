import { optionError } from '../../core/validation.js'
import { indexedKeys } from '../shared/metadata.js'

/** The option `prefix`. */
export function checkPrefix(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.isWellFormed()) return value
  throw optionError('prefix', value, 'a non-empty, well-formed string')
}

/** The option `indexedMetadata`, with the keys of back-channel logout, which come first, as few sessions share them. */
export function checkIndexedMetadata(value: unknown): string[] {
  if (Array.isArray(value) && value.every((key) => typeof key === 'string' && key.isWellFormed())) {
    return [...new Set([...indexedKeys, ...value])]
  }
  throw optionError('indexedMetadata', value, 'an array of metadata keys')
}
