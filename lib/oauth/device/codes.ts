import { hash, randomInt } from 'node:crypto'
import type { DeviceCodeId, UserCodeId } from '../../../types/device-code.js'
import { createSecret, isSecret } from '../../core/token.js'

/** RFC 8628, section 6.1: no vowels, so no words, and nothing that is read as something else. */
const alphabet = 'BCDFGHJKLMNPQRSTVWXZ'
const userCodeLength = 8
const userCode = new RegExp(`^[${alphabet}]{${userCodeLength}}$`)

/** Eight letters, 34 bits: enough for ten minutes and a few guesses a minute. */
export function createUserCode(): string {
  return Array.from({ length: userCodeLength }, () => alphabet[randomInt(alphabet.length)]).join('')
}

/** What somebody typed, in capitals and without what stands between; `null` if that is no user code. */
export function normaliseUserCode(typed: string): string | null {
  const code = typed
    .slice(0, 100)
    .toUpperCase()
    .replace(/[^A-Z]/g, '')
  return userCode.test(code) ? code : null
}

/** `BCDF-GHJK`, as people read it. */
export function showUserCode(code: string): string {
  return `${code.slice(0, userCodeLength / 2)}-${code.slice(userCodeLength / 2)}`
}

/** The secret that the device holds: 256 random bits. */
export function createDeviceCode(): string {
  return createSecret()
}

/** The id under which a device code is kept; `null` for what is shaped like none. */
export function deviceCodeId(code: string): DeviceCodeId | null {
  return isSecret(code) ? (hash('sha256', code, 'base64url') as DeviceCodeId) : null
}

/** True for what is shaped like the id of a device code. */
export function isDeviceCodeId(id: string): id is DeviceCodeId {
  return isSecret(id)
}

/** The id under which a normalised user code is kept. */
export function userCodeId(code: string): UserCodeId {
  return hash('sha256', code, 'base64url') as UserCodeId
}
