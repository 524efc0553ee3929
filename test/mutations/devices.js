// @ts-check

/** @import { Mutation } from './types.js' */

/** @type {readonly Mutation[]} */
export const deviceMutations = [
  {
    check: 'only a credential that the browser sends by itself allows a device',
    requirement: '7.5.3',
    file: 'lib/oauth/device/routes.ts',
    text: 'if (request[verifiedBy] === null || !isAmbient(request[verifiedBy])) {',
    replacement: 'if (request[verifiedBy] === null) {',
    test: 'test/oauth/device.test.ts',
  },
  {
    check: 'only a recent sign-in allows a device',
    requirement: '7.5.3',
    file: 'lib/oauth/device/routes.ts',
    text: 'if (!mayAllow(session)) return',
    replacement: 'if (session === null) return',
    test: 'test/oauth/device.test.ts',
  },
]
