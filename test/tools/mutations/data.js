// @ts-check

/** @import { Mutation } from './types.js' */

const visitors = 'test/unit/data/visitors.test.ts'
const sessionData = 'test/unit/data/session-data.test.ts'

/** @type {readonly Mutation[]} */
export const dataMutations = [
  {
    check: "a visitor's token signs nobody in, and a session's is no visitor's",
    requirement: '7.2.1',
    file: 'lib/core/token.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the file has
    text: "return hash('sha256', `${purpose}:${secret}`, 'base64url')",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what the file would have
    replacement: "return hash('sha256', `${purpose === '' ? 1 : 'session'}:${secret}`, 'base64url')",
    test: visitors,
  },
  {
    check: 'a visitor needs the secret, not the id alone',
    requirement: '7.2.1',
    file: 'lib/plugin/visitors.ts',
    text: "return userId === null && secretHashOf(token, 'visitor') === secretHash",
    replacement: "return userId === null && secretHashOf(token, 'visitor') !== ''",
    test: visitors,
  },
  {
    check: 'a visitor ends at its deadline',
    requirement: '7.3.1',
    file: 'lib/plugin/visitors.ts',
    text: 'if (clock.now() >= ends) return null',
    replacement: 'if (clock.now() >= ends + 1e13) return null',
    test: visitors,
  },
  {
    check: 'a page of another origin begins no visitor, and writes to none',
    requirement: '3.5.1',
    file: 'lib/plugin/visitors.ts',
    text: 'if (this.#originCheck.refuses(request)) throw',
    replacement: 'if (this.#originCheck.refuses(request) && request.id === null) throw',
    test: visitors,
  },
  {
    check: 'an answer with data of a visitor is for nobody else',
    requirement: '14.3.2',
    file: 'lib/plugin/visitors.ts',
    text: "if (!reply.hasHeader('cache-control')) forbidCaching(reply)",
    replacement: '',
    test: visitors,
  },
  {
    check: 'only keys that are named are carried over',
    requirement: '7.2.4',
    file: 'lib/plugin/visitors.ts',
    text: 'return (await store.readData(id, keys)) ?? undefined',
    replacement: 'return (await store.readData(id, keys.length > 0 ? null : [])) ?? undefined',
    test: visitors,
  },
  {
    check: 'the visitor ends once its data was carried over',
    requirement: '7.2.4',
    file: 'lib/plugin/reply.ts',
    text: 'if (carry !== null) await this.#visitors?.end(reply.request, reply)',
    replacement: 'if (carry !== null) await this.#visitors?.find(reply.request)',
    test: visitors,
  },
  {
    check: 'after a sign-out the request has no data of the session',
    requirement: '7.4.1',
    file: 'lib/plugin/reply.ts',
    text: 'changeSession(reply.request, null)',
    replacement: '',
    test: sessionData,
  },
  {
    check: 'an expired session that is not swept yet gives no data',
    requirement: '7.3.1',
    file: 'lib/plugin/request-data.ts',
    text: 'if (await this.#isAlive(id)) return id\n    throw',
    replacement: 'if (await this.#isAlive(id)) return id\n    if (id !== null) return id\n    throw',
    test: sessionData,
  },
  {
    check: 'app.gosesh.sessionData finds no data of an ended session',
    requirement: '7.4.1',
    file: 'lib/plugin/request-data.ts',
    text: 'if (isSessionId(id) && (await this.#isAlive(id))) return id',
    replacement: 'if (isSessionId(id)) return id',
    test: sessionData,
  },
  {
    check: 'a value that is too long is refused before the store is asked',
    requirement: '2.2.1',
    file: 'lib/data/input.ts',
    text: 'if (json.length > maxLength) {',
    replacement: 'if (json.length > maxLength * 1_000) {',
    test: sessionData,
  },
  {
    check: 'a session has no more keys than it may',
    requirement: '2.3.2',
    file: 'lib/stores/shared/data.ts',
    text: 'return keys.size <= Math.max(maxKeys, data.size)',
    replacement: 'return keys.size <= Math.max(maxKeys, data.size) || data.size > 0',
    test: sessionData,
  },
  {
    check: 'update and take swap only what they read',
    requirement: '15.4.2',
    file: 'lib/stores/memory/store.ts',
    text: "if ((stored.data?.get(key) ?? null) !== expected) return 'conflict'",
    replacement: '',
    test: sessionData,
  },
  {
    check: 'those that update one key at once take turns',
    requirement: 'promise 7',
    file: 'lib/data/session-data.ts',
    text: 'endTurn ??= await this.#owner.turns.take',
    replacement: 'endTurn ??= await (async (_name: string) => () => {})',
    test: 'test/unit/promise-data.test.ts',
  },
  {
    check: 'data goes only to sessions that exist, in PostgreSQL',
    requirement: '7.4.1',
    file: 'lib/stores/postgres/data.ts',
    text: 'FOR KEY SHARE OF s`',
    replacement: '`',
    test: 'test/stores/data-races.test.ts',
  },
  {
    check: 'data is gone with its session, in Redis',
    requirement: '7.4.1',
    file: 'lib/stores/redis/revocations.ts',
    text: "redis.call('UNLINK', dataKeyOf(key))",
    replacement: '',
    test: 'test/stores/data-races.test.ts',
  },
]
