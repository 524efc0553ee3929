import type { RouteSessionOptions } from '../../types/options.js'
import { parseFactors } from '../core/factors.js'
import { checkBoolean, checkLifetime, checkObject, optionError } from '../core/validation.js'

/** What a route wants of a session beside that it is alive. */
export interface Demands {
  /** Milliseconds; `null`: any time will do. */
  readonly signedInWithin: number | null
  readonly factors: readonly string[]
  readonly deviceBound: boolean
}

/** `config.session` of a route, complete. */
export interface RouteOptions {
  /** `false`: no session work at all. */
  readonly enabled: boolean
  readonly required: boolean
  readonly activity: boolean
  /** `null`: any session will do. */
  readonly demands: Demands | null
  /** True if the session may come from memory; `null`: the method decides. */
  readonly cache: boolean | null
}

const disabled: RouteOptions = Object.freeze({
  enabled: false,
  required: false,
  activity: false,
  demands: null,
  cache: false,
})
const name = 'config.session'

/** Parses `config.session` of routes. */
export class RouteOptionsParser {
  readonly #standard: RouteOptions
  readonly #bindsDevices: boolean
  readonly #parsed = new WeakMap<RouteSessionOptions, RouteOptions>()

  constructor(requireByDefault: boolean, bindsDevices: boolean) {
    this.#bindsDevices = bindsDevices
    this.#standard = Object.freeze({
      enabled: true,
      required: requireByDefault,
      activity: true,
      demands: null,
      cache: null,
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
    checkObject(name, given, ['required', 'activity', 'signedInWithin', 'factors', 'deviceBound', 'cache'])
    const demands = parseDemands(given, this.#bindsDevices)
    const { required = demands !== null || this.#standard.required, activity = true } = given
    const options = Object.freeze({
      enabled: true,
      required: checkBoolean(`${name}.required`, required),
      activity: checkBoolean(`${name}.activity`, activity),
      demands,
      cache: parseCache(given, demands),
    })
    if (demands !== null && !options.required) {
      throw optionError(
        `${name}.required`,
        required,
        'true, as signedInWithin, factors or deviceBound is given',
      )
    }
    this.#parsed.set(given, options)
    return options
  }
}

/** Who guards a route by how the user signed in wants to know it as it is now. */
function parseCache({ cache }: RouteSessionOptions, demands: Demands | null): boolean | null {
  if (cache === undefined) return demands === null ? null : false
  const allowed = checkBoolean(`${name}.cache`, cache)
  if (!allowed || demands === null) return allowed
  throw optionError(`${name}.cache`, cache, 'false, as signedInWithin, factors or deviceBound is given')
}

/** True if a request of this method to this route may find its session in memory. */
export function mayUseCache({ cache }: RouteOptions, method: string): boolean {
  return cache ?? (method === 'GET' || method === 'HEAD')
}

function parseDemands(
  { signedInWithin, factors, deviceBound = false }: RouteSessionOptions,
  bindsDevices: boolean,
): Demands | null {
  if (checkBoolean(`${name}.deviceBound`, deviceBound) && !bindsDevices)
    throw optionError(`${name}.deviceBound`, true, 'false, or gosesh with the option deviceBinding')
  if (signedInWithin === undefined && factors === undefined && !deviceBound) return null
  const demands = {
    signedInWithin:
      signedInWithin === undefined ? null : checkLifetime(`${name}.signedInWithin`, signedInWithin),
    factors: parseFactors(`${name}.factors`, factors ?? []),
    deviceBound,
  }
  const isEmpty = demands.signedInWithin === null && demands.factors.length === 0
  if (!isEmpty || (deviceBound && factors === undefined)) return Object.freeze(demands)
  throw optionError(`${name}.factors`, factors, 'one method or more; leave it out if any will do')
}
