import { checkText, optionError, secretOptionError } from '../core/validation.js'

/** A frozen copy of a list of texts. */
export function checkTexts(name: string, value: unknown, expected: string): readonly string[] {
  if (!Array.isArray(value)) throw optionError(name, value, 'a list')
  return Object.freeze(value.map((text, index) => checkText(`${name}[${index}]`, text, expected)))
}

/** A frozen copy of an object of texts. */
export function checkTextMap(name: string, value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw optionError(name, value, 'an object of strings')
  }
  for (const [key, text] of Object.entries(value)) checkText(`${name}.${key}`, text, 'a string')
  return Object.freeze({ ...value })
}

export function checkSecret(name: string, value: unknown): string | (() => string | Promise<string>) | null {
  if (value === undefined) return null
  if (typeof value === 'function' || (typeof value === 'string' && value !== '')) {
    return value as string | (() => string | Promise<string>)
  }
  throw secretOptionError(name, value, 'a non-empty string, or a function that returns one')
}

/** An absolute URL without user, query or fragment: https, or http if that is permitted by the option named. */
export function checkUrl(
  name: string,
  value: unknown,
  insecure: { allowed: boolean; option: string },
): string {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : null
  const plain = url !== null && url.username === '' && url.password === '' && !/[?#]/.test(url.href)
  if (plain && (url.protocol === 'https:' || (url.protocol === 'http:' && insecure.allowed))) {
    return value as string
  }
  throw optionError(name, value, `an https URL (http only with ${insecure.option})`)
}
