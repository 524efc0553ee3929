import type { RouteSessionOptions } from '../../types/options.js'
import { checkBoolean, checkObject, optionError } from '../core/validation.js'

/** `config.session` of a route, complete. */
export interface RouteOptions {
  /** `false`: no session work at all. */
  readonly enabled: boolean
  readonly required: boolean
  readonly activity: boolean
}

const disabled: RouteOptions = Object.freeze({ enabled: false, required: false, activity: false })
const name = 'config.session'

/** Parses `config.session` of routes. */
export class RouteOptionsParser {
  readonly #standard: RouteOptions
  readonly #parsed = new WeakMap<RouteSessionOptions, RouteOptions>()

  constructor(requireByDefault: boolean) {
    this.#standard = Object.freeze({ enabled: true, required: requireByDefault, activity: true })
  }

  /** Throws `GOSESH_ERR_OPTION`, so that a misspelt option never leaves a route open. */
  parse(session: false | RouteSessionOptions | undefined): RouteOptions {
    if (session === undefined) return this.#standard
    if (session === false) return disabled
    return this.#parsed.get(session) ?? this.#parseOnce(session)
  }

  #parseOnce(given: RouteSessionOptions): RouteOptions {
    if (typeof given !== 'object')
      throw optionError(name, given, 'false or an object, such as { required: true }')
    const { required = this.#standard.required, activity = true } = checkObject(name, given, [
      'required',
      'activity',
    ])
    const options = Object.freeze({
      enabled: true,
      required: checkBoolean(`${name}.required`, required),
      activity: checkBoolean(`${name}.activity`, activity),
    })
    this.#parsed.set(given, options)
    return options
  }
}
