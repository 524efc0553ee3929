// @ts-check
import { coreMutations } from './core.js'
import { deviceMutations } from './devices.js'
import { oauthMutations } from './oauth.js'
import { sessionMutations } from './sessions.js'
import { storeMutations } from './stores.js'

/** @import { Mutation } from './types.js' */

/** @type {readonly Mutation[]} */
export const mutations = [
  ...coreMutations,
  ...sessionMutations,
  ...storeMutations,
  ...oauthMutations,
  ...deviceMutations,
]
