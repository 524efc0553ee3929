import type { Factor } from '../../types/session.js'
import { checkText, optionError } from './validation.js'

const maxFactors = 20
/** What may stand in `acr_values` of a challenge: a part of a quoted string, and no space (RFC 9470, section 3). */
const shape = /^[\x21\x23-\x5b\x5d-\x7e]{1,50}$/

/** The names of methods by which a user proved who they are, each once; throws `GOSESH_ERR_OPTION`. */
export function parseFactors(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length > maxFactors) {
    const expected = `an array of at most ${maxFactors} methods, such as ['pwd', 'otp'] (RFC 8176)`
    throw optionError(name, value, expected)
  }
  const expected = 'a method such as pwd or otp (RFC 8176): 1 to 50 characters, without spaces and quotes'
  for (const [index, method] of value.entries()) checkText(`${name}[${index}]`, method, expected, shape)
  return [...new Set<string>(value)]
}

/** Those of the values that can be the name of a method; what somebody else sent may hold anything. */
export function factorsAmong(values: unknown): readonly string[] {
  if (!Array.isArray(values)) return []
  const methods = values.filter((value) => typeof value === 'string' && shape.test(value))
  return [...new Set<string>(methods)].slice(0, maxFactors)
}

/**
 * The factors after a proof by these methods at `at`: each is added, or made newer. One of a time after `now` was taken by a
 * clock that was ahead, and gives way. Of more than there may be the latest stay.
 */
export function mergeFactors(
  factors: readonly Factor[],
  methods: readonly string[],
  at: Date,
  now: number,
): readonly Factor[] {
  const isNewer = (method: string): boolean =>
    !factors.some((factor) => factor.method === method && factor.at > at && factor.at.getTime() <= now)
  const proved = methods.filter(isNewer)
  const kept = factors.filter(({ method }) => !proved.includes(method))
  return [...kept, ...proved.map((method) => ({ method, at }))].slice(-maxFactors)
}
