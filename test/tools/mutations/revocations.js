// @ts-check

/** @import { Mutation } from './types.js' */

const postgres = 'lib/stores/postgres/revocations.ts'
const postgresTest = 'test/stores/postgres-revocations.test.ts'
const redis = 'lib/stores/redis/revocations.ts'
const redisTest = 'test/stores/redis-revocations.test.ts'

/** @type {readonly Mutation[]} */
export const revocationMutations = [
  {
    check: 'a transaction that was under way at the cursor is read once it has ended',
    requirement: 'promise 3',
    file: postgres,
    text: 'WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($2::pg_snapshot)))',
    replacement: 'WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($2::pg_snapshot))) AND false',
    test: postgresTest,
  },
  {
    check: 'the marker of the log in PostgreSQL does not outlast a crash',
    requirement: 'promise 3',
    file: postgres,
    text: ' (xid);\nCREATE UNLOGGED TABLE',
    replacement: ' (xid);\nCREATE TABLE',
    test: postgresTest,
  },
  {
    check: 'a cursor older than what was pruned cannot tell',
    requirement: 'promise 3',
    file: postgres,
    text: 'AND horizon <= pg_snapshot_xmin($2::pg_snapshot) AS known',
    replacement: 'AS known',
    test: postgresTest,
  },
  {
    check: 'a cursor of another log cannot tell',
    requirement: 'promise 3',
    file: postgres,
    text: 'log = $1::text AND horizon',
    replacement: 'horizon',
    test: postgresTest,
  },
  {
    check: 'more entries than an answer may have are not cut off',
    requirement: 'promise 3',
    file: postgres,
    text: ' && rows.length <= maxEntries',
    replacement: '',
    test: postgresTest,
  },
  {
    check: 'a truncation is seen by every node',
    requirement: 'promise 3',
    file: postgres,
    text: '  ELSE\n    DELETE FROM',
    replacement: '  ELSIF false THEN\n    DELETE FROM',
    test: postgresTest,
  },
  {
    check: 'a sweep hides the end of no session that lives',
    requirement: 'promise 3',
    file: postgres,
    text: 'swept_before IS NULL OR least(idle_deadline, absolute_deadline) >= swept_before',
    replacement: 'swept_before IS NULL',
    test: postgresTest,
  },
  {
    check: 'the log in Redis cannot tell if the entry of the cursor is another one',
    requirement: 'promise 3',
    file: redis,
    text: " and first[2][1] .. ' ' .. first[2][2] == ARGV[2] then",
    replacement: ' then',
    test: redisTest,
  },
  {
    check: 'the log in Redis cannot tell if the entry of the cursor is gone',
    requirement: 'promise 3',
    file: redis,
    text: ' and first[1] == ARGV[1] and first[2][1]',
    replacement: ' and first[2][1]',
    test: redisTest,
  },
  {
    check: 'a log in Redis that is empty is begun, so that its loss shows',
    requirement: 'promise 3',
    file: redis,
    text: 'if #last == 0 then',
    replacement: 'if false then',
    test: redisTest,
  },
  {
    check: 'a session in Redis does not end unless its end is written down',
    requirement: 'promise 3',
    file: redis,
    text: "  log(key, stored, 'ended')\n  redis.call('DEL', key)",
    replacement: "  redis.call('DEL', key)\n  log(key, stored, 'ended')",
    test: redisTest,
  },
  {
    check: 'a change of a session in Redis is written down',
    requirement: 'promise 3',
    file: redis,
    text: "log(KEYS[1], stored, 'changed')",
    replacement: '',
    test: redisTest,
  },
  {
    check: 'what looks like a visitor in Redis, and is no session, is written down',
    requirement: 'promise 3',
    file: redis,
    text: `'^%S+ %S+ %S+ %S+ %S+ %S+ {"userId":null[,}]', 71)`,
    replacement: `'{"userId":null[,}]')`,
    test: redisTest,
  },
]
