import type { Credential } from '../../types/credential.js'
import type { EffectivePolicy } from '../../types/policy.js'
import { checkBoolean, checkLifetimes, hasMethods, optionError } from '../core/validation.js'
import { isAmbient } from '../core/verified-by.js'

/** The option `credentials`: a frozen copy; throws `GOSESH_ERR_OPTION`. */
export function parseCredentials(value: unknown): readonly Credential[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw optionError('credentials', value, 'a list of credentials, such as [cookieCredential()]')
  }
  for (const [index, credential] of value.entries()) checkCredential(`credentials[${index}]`, credential)
  return Object.freeze([...value])
}

function checkCredential(name: string, value: unknown): void {
  if (!hasMethods(value, ['read'])) throw optionError(name, value, 'a credential, such as cookieCredential()')
  const credential = value as Record<string, unknown>
  for (const key of ['name', 'header']) {
    if (typeof credential[key] !== 'string') throw optionError(`${name}.${key}`, credential[key], 'a string')
  }
  const { challenge, ambient, idleTimeout, absoluteTimeout } = credential
  if (challenge !== null && typeof challenge !== 'string') {
    throw optionError(`${name}.challenge`, challenge, 'an authentication scheme, or null')
  }
  if (ambient !== undefined) checkBoolean(`${name}.ambient`, ambient)
  if (idleTimeout === undefined) {
    throw optionError(`${name}.idleTimeout`, idleTimeout, 'milliseconds, or null for no idle limit')
  }
  for (const key of ['write', 'clear', 'transportProblem']) {
    const method = credential[key]
    if (method !== undefined && typeof method !== 'function') {
      throw optionError(`${name}.${key}`, method, 'a function, or nothing')
    }
  }
  checkLifetimes({ idleTimeout, absoluteTimeout }, null)
}

/** The credentials as `app.gosesh.policy` shows them. */
export function showCredentials(credentials: readonly Credential[]): EffectivePolicy['credentials'] {
  return credentials.map((credential) => ({
    name: credential.name,
    header: credential.header,
    ambient: isAmbient(credential),
    idleTimeout: credential.idleTimeout,
    absoluteTimeout: credential.absoluteTimeout,
  }))
}
