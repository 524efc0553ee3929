import { optionError } from '../../core/validation.js'

/** The option `prefix`. */
export function checkPrefix(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.isWellFormed()) return value
  throw optionError('prefix', value, 'a non-empty, well-formed string')
}
