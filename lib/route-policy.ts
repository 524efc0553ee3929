import type { RouteSessionOptions } from '../types/options.js'
import { checkBoolean, checkObject } from './check.js'

/** What a route's `config.session` asks for. */
export interface RoutePolicy {
  /** `false`: no session work at all. */
  readonly enabled: boolean
  readonly required: boolean
  readonly activity: boolean
}

const disabled: RoutePolicy = Object.freeze({ enabled: false, required: false, activity: false })
const standard: RoutePolicy = Object.freeze({ enabled: true, required: false, activity: true })
const parsed = new WeakMap<RouteSessionOptions, RoutePolicy>()

function parse(given: RouteSessionOptions): RoutePolicy {
  const name = 'config.session'
  const { required = false, activity = true } = checkObject(name, given, ['required', 'activity'])
  const policy = Object.freeze({
    enabled: true,
    required: checkBoolean(`${name}.required`, required),
    activity: checkBoolean(`${name}.activity`, activity),
  })
  parsed.set(given, policy)
  return policy
}

/** The policy of a route; throws `GOSESH_ERR_OPTION`, so that a misspelt one is never taken for an open one. */
export function routePolicy(session: false | RouteSessionOptions | undefined): RoutePolicy {
  if (session === undefined) return standard
  if (session === false) return disabled
  return parsed.get(session) ?? parse(session)
}
