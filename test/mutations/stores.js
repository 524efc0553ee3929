// @ts-check

/** @import { Mutation } from './types.js' */

/** @type {readonly Mutation[]} */
export const storeMutations = [
  {
    check: 'a flush to PostgreSQL does not retry without end',
    requirement: 'promise 6',
    file: 'lib/stores/postgres.ts',
    text: 'for (let tries = 1; tries <= maxFlushTries; tries++) {',
    replacement: 'for (;;) {',
    test: 'test/stores/postgres-retries.test.ts',
  },
]
