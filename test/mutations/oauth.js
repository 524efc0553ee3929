// @ts-check

/** @import { Mutation } from './types.js' */

/** @type {readonly Mutation[]} */
export const oauthMutations = []
