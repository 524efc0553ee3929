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
    test: 'test/system/oauth/device.test.ts',
  },
  {
    check: 'only a recent sign-in allows a device',
    requirement: '7.5.3',
    file: 'lib/oauth/device/routes.ts',
    text: 'if (!mayAllow(session)) return',
    replacement: 'if (session === null) return',
    test: 'test/system/oauth/device.test.ts',
  },
  {
    check: 'an approval ends with the session that gave it',
    requirement: '7.4.1',
    file: 'lib/oauth/device/service.ts',
    text: 'return approver === null ? await this.#deny(code) :',
    replacement:
      'return approver === null ? await this.#createSession(code, { userId: code.userId, createdAt: new Date(this.#clock.now()), authenticatedAt: new Date(this.#clock.now()) } as Session) :',
    test: 'test/system/oauth/device.test.ts',
  },
  {
    check: "a device's session is no later sign-in than its approver's",
    requirement: '7.5.3',
    file: 'lib/oauth/device/service.ts',
    text: '{ createdAt, authenticatedAt, metadata },',
    replacement: '{ metadata },',
    test: 'test/system/oauth/device.test.ts',
  },
  {
    check: 'a device code gives one session',
    requirement: '10.4.2',
    file: 'lib/oauth/device/service.ts',
    text: 'if (!(await this.#consume(code.id))) throw used',
    replacement: 'await this.#consume(code.id)',
    test: 'test/system/oauth/device.test.ts',
  },
  {
    check: 'a device that polls too fast is slowed down for good',
    requirement: '10.4.2',
    file: 'lib/oauth/device/service.ts',
    text: 'interval: tooSoon ? interval + slowDown : interval',
    replacement: 'interval',
    test: 'test/system/oauth/device.test.ts',
  },
]
