// @ts-check
import { cacheMutations } from './cache.js'
import { compatMutations } from './compat.js'
import { coreMutations } from './core.js'
import { dataMutations } from './data.js'
import { deviceBindingMutations } from './device-binding.js'
import { deviceMutations } from './devices.js'
import { oauthMutations } from './oauth.js'
import { pluginMutations } from './plugin.js'
import { revocationMutations } from './revocations.js'
import { sessionMutations } from './sessions.js'
import { storeMutations } from './stores.js'

/** @import { Mutation } from './types.js' */

/** @type {readonly Mutation[]} */
export const mutations = [
  ...coreMutations,
  ...pluginMutations,
  ...sessionMutations,
  ...storeMutations,
  ...cacheMutations,
  ...dataMutations,
  ...revocationMutations,
  ...compatMutations,
  ...oauthMutations,
  ...deviceMutations,
  ...deviceBindingMutations,
]
