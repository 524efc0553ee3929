import type { Factor } from '../../types/session.js'
import { GoseshError } from './errors.js'

/** The public key of the device that a session is bound to. */
export interface DeviceKey {
  readonly algorithm: 'ES256' | 'RS256'
  /** The two numbers of the key, base64url (RFC 7518, section 6): `x` and `y`, or `n` and `e`. */
  readonly numbers: readonly [string, string]
  /** Milliseconds since the epoch. */
  readonly boundAt: number
}

/** What a session has beside its fixed fields, in the text that a store keeps as `details`. */
export interface SessionDetails {
  readonly factors: readonly Factor[]
  readonly device: DeviceKey | null
}

/** How the text of a session without factors begins: that of one that is only bound to a device, which each request reads. */
const withoutFactors = '{"factors":[]'
const none: SessionDetails = Object.freeze({ factors: Object.freeze([]), device: null })

/** The text for a store; `null` if there is nothing to keep. */
export function encodeDetails({ factors, device }: SessionDetails): string | null {
  if (factors.length === 0 && device === null) return null
  return JSON.stringify({
    factors: factors.map(({ method, at }) => [method, at.getTime()]),
    ...(device !== null && { device: [device.algorithm, ...device.numbers, device.boundAt] }),
  })
}

/**
 * The details in the text. Throws `GOSESH_ERR_STORE_UNAVAILABLE` if somebody broke it: a session whose factors cannot be
 * read is neither one without factors nor one that has ended.
 */
export function parseDetails(text: string | null): SessionDetails {
  if (text === null) return none
  try {
    const { factors, device } = JSON.parse(text) as {
      factors: readonly (readonly unknown[])[]
      device?: readonly unknown[]
    }
    return Object.freeze({
      factors: Object.freeze(factors.map(parseFactor)),
      device: device === undefined ? null : parseDevice(device),
    })
  } catch {
    // Without the cause, as a parser's message quotes the text.
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
      message: "The session store is unavailable (a stored session's details are not readable)",
    })
  }
}

/** The factors in the text. What comes after them is not read if there are none; else it throws as `parseDetails` does. */
export function parseFactorsIn(text: string | null): readonly Factor[] {
  return text === null || text.startsWith(withoutFactors) ? none.factors : parseDetails(text).factors
}

function parseFactor([method, time]: readonly unknown[]): Factor {
  const at = new Date(time as number)
  if (typeof method !== 'string' || typeof time !== 'number' || Number.isNaN(at.getTime()))
    throw new TypeError()
  return Object.freeze({ method, at })
}

function parseDevice([algorithm, first, second, boundAt]: readonly unknown[]): DeviceKey {
  if (algorithm !== 'ES256' && algorithm !== 'RS256') throw new TypeError()
  if (typeof first !== 'string' || typeof second !== 'string' || typeof boundAt !== 'number')
    throw new TypeError()
  return { algorithm, numbers: [first, second], boundAt }
}

export function isSameKey(a: DeviceKey, b: DeviceKey): boolean {
  return a.algorithm === b.algorithm && a.numbers.every((number, index) => number === b.numbers[index])
}
