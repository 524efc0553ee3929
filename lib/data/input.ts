import { GoseshError } from '../core/errors.js'

const maxKeyLength = 64

/** Returns the key; throws `GOSESH_ERR_DATA_KEY`: 400 for a string that is out of bounds, 500 for anything else. */
export function checkDataKey(key: unknown): string {
  if (typeof key !== 'string') throw new GoseshError('GOSESH_ERR_DATA_KEY')
  // Characters, not UTF-16 units; the first comparison spares counting those of a huge string.
  const tooLong = key.length > 2 * maxKeyLength || [...key].length > maxKeyLength
  if (key !== '' && !tooLong && key.isWellFormed() && !key.includes('\0')) return key
  throw new GoseshError('GOSESH_ERR_DATA_KEY', { statusCode: 400 })
}

/**
 * The value as JSON. Throws `GOSESH_ERR_DATA_VALUE` if JSON cannot hold it, and `GOSESH_ERR_DATA_TOO_LARGE` if it is longer than
 * `maxLength`.
 */
export function encodeValue(key: string, value: unknown, maxLength: number): string {
  const json = toJson(key, value)
  if (json.length > maxLength) {
    const message = `The value of ${JSON.stringify(key)} has ${json.length} characters as JSON; at most ${maxLength}`
    throw new GoseshError('GOSESH_ERR_DATA_TOO_LARGE', { message })
  }
  // No database keeps a lone surrogate, and JSON writes it as an escape.
  return json
}

function toJson(key: string, value: unknown): string {
  let json: string | undefined
  let cause: unknown
  try {
    json = JSON.stringify(value)
  } catch (error) {
    cause = error
  }
  if (typeof json === 'string') return json
  const message = `JSON cannot hold the value of ${JSON.stringify(key)}: ${
    cause instanceof Error ? cause.message.split('\n')[0] : `it is ${typeof value}`
  }`
  throw new GoseshError('GOSESH_ERR_DATA_VALUE', { message, cause })
}

/** The value that was stored. Throws `GOSESH_ERR_STORE_UNAVAILABLE` for text that somebody broke by hand. */
export function decodeValue(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    // Without the cause, which quotes the text.
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
      message: 'The session store is unavailable (a stored value is not readable)',
    })
  }
}
