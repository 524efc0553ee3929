import type { FastifyInstance } from 'fastify'
import type { GoseshOptions } from '../../types/options.js'
import type { EffectivePolicy } from '../../types/policy.js'
import { checkObject } from '../core/validation.js'
import { type Option, optionTable } from './table.js'

type Table = typeof optionTable

/** Options as the plugin uses them: checked, complete and frozen. */
export type Settings = { readonly [K in keyof Table]: ReturnType<Table[K]['parse']> }

const names = Object.keys(optionTable) as (keyof Table)[]
/** What `app.register` itself takes from the same object. */
const fastifyNames = ['prefix', 'logLevel', 'logSerializers']

/** Checks and completes what was given to `app.register(gosesh, options)`; throws `GOSESH_ERR_OPTION`. */
export function parseOptions(options: GoseshOptions, app: FastifyInstance): Settings {
  checkObject('', options, [...names, ...fastifyNames])
  const entries = names.map((name) => [name, optionTable[name].parse(options[name], app)])
  return Object.freeze(Object.fromEntries(entries)) as Settings
}

/** `app.gosesh.policy`. `sweepInterval` is asked for at each reading, since the store may be known later. */
export function effectivePolicy(settings: Settings, sweepInterval: () => number | null): EffectivePolicy {
  const policy = {
    get sweepInterval() {
      return sweepInterval()
    },
  }
  for (const name of names) {
    const { show } = optionTable[name] as Option<unknown>
    Object.assign(policy, show?.(settings[name]))
  }
  return Object.freeze(policy) as EffectivePolicy
}
