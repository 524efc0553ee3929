import {
  checkLifetime,
  checkObject,
  checkPath,
  checkText,
  optionError,
  secretOptionError,
} from '../core/validation.js'

export interface DeviceBindingSettings {
  /** The first one signs, each verifies. */
  readonly secrets: readonly Buffer[]
  /** Milliseconds for which a proof is good. */
  readonly lifetime: number
  /** As browsers see it, with the prefix of the context. */
  readonly path: string
  readonly allowedRefreshInitiators: readonly string[]
}

const name = 'deviceBinding'
const minSecretBytes = 32
const minLifetime = 5 * 60_000
/** Every host, one host, or a host and all below it. */
const initiatorShape = /^(?:\*|(?:\*\.)?[a-z\d](?:[a-z\d.-]*[a-z\d])?)$/i

function parseSecret(key: string, value: unknown): Buffer {
  const bytes =
    typeof value === 'string' || value instanceof Uint8Array ? Buffer.from(value as Uint8Array) : null
  if (bytes !== null && bytes.length >= minSecretBytes) return bytes
  throw secretOptionError(key, value, `random text or bytes, ${minSecretBytes} bytes or more`)
}

function parseSecrets(value: unknown): readonly Buffer[] {
  const key = `${name}.secret`
  if (!Array.isArray(value)) return Object.freeze([parseSecret(key, value)])
  if (value.length === 0) throw secretOptionError(key, value, 'one secret or more, the newest first')
  return Object.freeze(value.map((secret, index) => parseSecret(`${key}[${index}]`, secret)))
}

function parseInitiators(value: unknown): readonly string[] {
  const key = `${name}.allowedRefreshInitiators`
  if (!Array.isArray(value))
    throw optionError(key, value, "a list of hosts, such as ['*.example.com'], or ['*']")
  const check = (host: unknown, index: number): string =>
    checkText(
      `${key}[${index}]`,
      host,
      "a host, such as app.example.com or *.example.com, or '*'",
      initiatorShape,
    )
  return Object.freeze(value.map(check))
}

function parsePath(value: unknown, prefix: string): string {
  const key = `${name}.path`
  const path = checkPath(key, value)
  if (!/^[\w/.~-]*[\w.~-]$/.test(path))
    throw optionError(key, value, 'letters, digits and -_.~/, no / at the end')
  if (path.startsWith(`${prefix}/`)) return path
  throw optionError(key, value, `a path that begins with the prefix of the context, ${prefix}/`)
}

/** The option `deviceBinding`; throws `GOSESH_ERR_OPTION`. `prefix`: that of the context, which the path begins with. */
export function parseDeviceBinding(value: unknown, prefix: string): DeviceBindingSettings | null {
  if (value === undefined || value === false) return null
  const known = ['secret', 'lifetime', 'path', 'allowedRefreshInitiators']
  const given = checkObject(name, value, known)
  const {
    secret,
    lifetime = 600_000,
    path = `${prefix}/auth/device-key`,
    allowedRefreshInitiators = ['*'],
  } = given
  const checked = checkLifetime(`${name}.lifetime`, lifetime)
  if (checked < minLifetime)
    throw optionError(`${name}.lifetime`, lifetime, `5 minutes (${minLifetime}) or more`)
  return Object.freeze({
    secrets: parseSecrets(secret),
    lifetime: checked,
    path: parsePath(path, prefix),
    allowedRefreshInitiators: parseInitiators(allowedRefreshInitiators),
  })
}
