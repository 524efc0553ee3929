// @ts-check
import { Secret, TOTP } from 'otpauth'

const issuer = 'gosesh example'

/** Steps by which the clock of an authenticator may be wrong, either way. */
const tolerance = 1

/**
 * @param {string} secret
 * @param {string} [label]
 */
function totp(secret, label = '') {
  // What every authenticator understands: SHA-1, six digits, steps of 30 seconds (RFC 6238).
  return new TOTP({
    issuer,
    label,
    secret: Secret.fromBase32(secret),
    algorithm: 'SHA1',
    digits: 6,
    period: 30,
  })
}

/** 20 random bytes in base32, as people type them. */
export function newSecret() {
  return new Secret({ size: 20 }).base32
}

/**
 * What an authenticator takes in place of typing.
 *
 * @param {string} secret
 * @param {string} account
 */
export function totpUri(secret, account) {
  return totp(secret, account).toString()
}

/**
 * The time step that the code belongs to, by which a second use is seen; `null` if it is none of these minutes. The library
 * compares in constant time.
 *
 * @param {string} secret
 * @param {unknown} typed
 * @param {number} now
 */
export function stepOfCode(secret, typed, now) {
  const token = typeof typed === 'string' ? typed.replaceAll(' ', '') : ''
  if (!/^\d{6}$/.test(token)) return null
  const generator = totp(secret)
  const delta = generator.validate({ token, timestamp: now, window: tolerance })
  return delta === null ? null : generator.counter({ timestamp: now }) + delta
}
