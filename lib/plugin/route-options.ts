import type { RouteSessionOptions } from '../../types/options.js'
import { parseFactors } from '../core/factors.js'
import { checkBoolean, checkLifetime, checkObject, optionError } from '../core/validation.js'

/** What a route wants of a session beside that it is alive. */
export interface Demands {
  /** Milliseconds; `null`: any time will do. */
  readonly signedInWithin: number | null
  readonly factors: readonly string[]
}

/** `config.session` of a route, complete. */
export interface RouteOptions {
  /** `false`: no session work at all. */
  readonly enabled: boolean
  readonly required: boolean
  readonly activity: boolean
  /** `null`: any session will do. */
  readonly demands: Demands | null
}

const disabled: RouteOptions = Object.freeze({
  enabled: false,
  required: false,
  activity: false,
  demands: null,
})
const name = 'config.session'

/** Parses `config.session` of routes. */
export class RouteOptionsParser {
  readonly #standard: RouteOptions
  readonly #parsed = new WeakMap<RouteSessionOptions, RouteOptions>()

  constructor(requireByDefault: boolean) {
    this.#standard = Object.freeze({
      enabled: true,
      required: requireByDefault,
      activity: true,
      demands: null,
    })
  }

  /** Throws `GOSESH_ERR_OPTION`, so that a misspelt option never leaves a route open. */
  parse(session: false | RouteSessionOptions | undefined): RouteOptions {
    if (session === undefined) return this.#standard
    if (session === false) return disabled
    return this.#parsed.get(session) ?? this.#parseOnce(session)
  }

  #parseOnce(given: RouteSessionOptions): RouteOptions {
    // Nothing but a plain object: the options in a `Map`, or of a class, would not be seen.
    if (typeof given !== 'object' || ![Object.prototype, null].includes(Object.getPrototypeOf(given ?? {})))
      throw optionError(name, given, 'false or an object, such as { required: true }')
    checkObject(name, given, ['required', 'activity', 'signedInWithin', 'factors'])
    const demands = parseDemands(given)
    const { required = demands !== null || this.#standard.required, activity = true } = given
    const options = Object.freeze({
      enabled: true,
      required: checkBoolean(`${name}.required`, required),
      activity: checkBoolean(`${name}.activity`, activity),
      demands,
    })
    if (demands !== null && !options.required) {
      throw optionError(`${name}.required`, required, 'true, as signedInWithin or factors is given')
    }
    this.#parsed.set(given, options)
    return options
  }
}

function parseDemands({ signedInWithin, factors }: RouteSessionOptions): Demands | null {
  if (signedInWithin === undefined && factors === undefined) return null
  const demands = {
    signedInWithin:
      signedInWithin === undefined ? null : checkLifetime(`${name}.signedInWithin`, signedInWithin),
    factors: parseFactors(`${name}.factors`, factors ?? []),
  }
  if (demands.signedInWithin !== null || demands.factors.length > 0) return Object.freeze(demands)
  throw optionError(`${name}.factors`, factors, 'one method or more; leave it out if any will do')
}
