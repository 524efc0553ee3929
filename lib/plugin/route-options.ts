import type { RouteSessionOptions } from '../../types/options.js'
import { checkBoolean, checkObject, optionError } from '../core/validation.js'

/** What a route's `config.session` asks for. */
export interface RoutePolicy {
  /** `false`: no session work at all. */
  readonly enabled: boolean
  readonly required: boolean
  readonly activity: boolean
}

const disabled: RoutePolicy = Object.freeze({ enabled: false, required: false, activity: false })
const name = 'config.session'

/** Reads `config.session` of routes. */
export class RoutePolicies {
  readonly #standard: RoutePolicy
  readonly #parsed = new WeakMap<RouteSessionOptions, RoutePolicy>()

  constructor(requireByDefault: boolean) {
    this.#standard = Object.freeze({ enabled: true, required: requireByDefault, activity: true })
  }

  /** The policy of a route; throws `GOSESH_ERR_OPTION`, so that a misspelt one is never taken for an open one. */
  of(session: false | RouteSessionOptions | undefined): RoutePolicy {
    if (session === undefined) return this.#standard
    if (session === false) return disabled
    return this.#parsed.get(session) ?? this.#parse(session)
  }

  #parse(given: RouteSessionOptions): RoutePolicy {
    if (typeof given !== 'object')
      throw optionError(name, given, 'false or an object, such as { required: true }')
    const { required = this.#standard.required, activity = true } = checkObject(name, given, [
      'required',
      'activity',
    ])
    const policy = Object.freeze({
      enabled: true,
      required: checkBoolean(`${name}.required`, required),
      activity: checkBoolean(`${name}.activity`, activity),
    })
    this.#parsed.set(given, policy)
    return policy
  }
}
