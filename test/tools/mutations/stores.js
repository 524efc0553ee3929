// @ts-check

/** @import { Mutation } from './types.js' */

/** @type {readonly Mutation[]} */
export const storeMutations = [
  {
    check: 'a flush to PostgreSQL does not retry without end',
    requirement: 'promise 6',
    file: 'lib/stores/postgres/store.ts',
    text: 'for (let tries = 1; tries <= maxFlushTries; tries++) {',
    replacement: 'for (;;) {',
    test: 'test/stores/postgres-retries.test.ts',
  },
  {
    check: 'the end of all sessions in Redis finds one that a reshard moves',
    requirement: '7.4.1',
    file: 'lib/stores/redis/store.ts',
    text: 'if (found === 0 && pass > 1) break',
    replacement: 'if (found === 0) break',
    test: 'test/stores/redis-reshard.test.ts',
  },
  {
    check: 'a store that is down does not keep the application from starting',
    requirement: 'promise 4',
    file: 'lib/plugin/schema-check.ts',
    text: "if ((error as GoseshError).code === 'GOSESH_ERR_STORE_SCHEMA') throw error",
    replacement: 'throw error',
    test: 'test/unit/plugin/schema-check.test.ts',
  },
  {
    check: 'a flush is written in READ COMMITTED if another isolation keeps failing it',
    requirement: 'promise 6',
    file: 'lib/stores/postgres/client.ts',
    text: 'send = () => inReadCommitted(this.#pool, (client) => client.query(query))',
    replacement: '',
    test: 'test/stores/postgres-options.test.ts',
  },
  {
    check: 'a full disk under SQLite does not stop revocation',
    requirement: '7.4.1',
    file: 'lib/stores/sqlite/connection.ts',
    text: 'if (reserve === null || !isFull(error)) throw error',
    replacement: 'throw error',
    test: 'test/stores/sqlite-faults.test.ts',
  },
  {
    check: 'nobody signs in on the space that revocation needs',
    requirement: '7.4.1',
    file: 'lib/stores/sqlite/connection.ts',
    text: 'INSERT/.test(sql)) {\n        this.#reserve?.hold()',
    replacement: 'INSERT/.test(sql)) {',
    test: 'test/stores/sqlite-faults.test.ts',
  },
]
