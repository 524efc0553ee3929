import { hash } from 'node:crypto'
import { GoseshError } from '../../core/errors.js'
import { metadataIndexName } from '../shared/metadata.js'
import {
  inReadCommitted,
  isDuplicateTable,
  type PostgresClient,
  type PostgresPool,
  plainQuery,
  type StatementRunner,
  statement,
  storeError,
} from './client.js'
import { revocationSchema } from './revocations.js'
import { quoteIdentifier, type TableNames } from './tables.js'

/** One table with the statements that build it. Its version is how many have run; one that was released never changes. */
interface SchemaPart {
  readonly name: string
  readonly migrations: readonly string[]
}

/** What a store needs beside its sessions. */
export interface Wanted {
  readonly withUsers: boolean
  readonly indexedKeys: readonly string[]
}

/**
 * What the index of a key holds: null, and so no entry, for a session without it. Nothing else is read as JSON, for
 * `json` keeps what cannot be read out of it again, such as half of a surrogate pair.
 */
export function indexedFact(key: string): string {
  return `(CASE WHEN strpos(metadata::text, '"${key}"') > 0 THEN metadata->>'${key}' END)`
}

/** A hash index, for a fact can be longer than an entry of a btree. Sessions without it are not in the index. */
function metadataIndex({ sessions, metadataIndexOf }: TableNames, key: string): SchemaPart {
  const fact = indexedFact(key)
  return {
    name: metadataIndexName(key),
    migrations: [
      `CREATE INDEX ${metadataIndexOf(key)} ON ${sessions} USING hash (${fact}) WHERE ${fact} IS NOT NULL`,
    ],
  }
}

/** What `migrate` does. An application with users of its own gets no table for them. */
function postgresMigrations(tables: TableNames, { withUsers, indexedKeys }: Wanted): readonly SchemaPart[] {
  const sessions: SchemaPart = {
    name: 'sessions',
    migrations: [
      // The room that `fillfactor` leaves, and no index on what activity moves, keep an update of activity on its page.
      // The index is a hash index, for a user id of 1,000 characters can be longer than an entry of a btree.
      `CREATE TABLE ${tables.sessions} (
  created_at timestamptz(3) NOT NULL,
  last_activity_at timestamptz(3) NOT NULL,
  authenticated_at timestamptz(3) NOT NULL,
  absolute_deadline timestamptz(3) NOT NULL,
  idle_deadline timestamptz(3),
  idle_timeout bigint,
  absolute_timeout bigint NOT NULL,
  version integer NOT NULL,
  persistent boolean NOT NULL,
  device_bound boolean NOT NULL,
  id text COLLATE "C" PRIMARY KEY,
  secret_hash text COLLATE "C" NOT NULL,
  user_id text COLLATE "C",
  metadata json,
  details text
) WITH (fillfactor = 85);
CREATE INDEX ${tables.userIndex} ON ${tables.sessions} USING hash (user_id)`,
    ],
  }
  // A row goes with its session, whatever deletes that.
  const data: SchemaPart = {
    name: 'session_data',
    migrations: [
      `CREATE TABLE ${tables.data} (
  session_id text COLLATE "C" NOT NULL REFERENCES ${tables.sessions} (id) ON DELETE CASCADE,
  key text COLLATE "C" NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (session_id, key)
)`,
    ],
  }
  const deviceCodes: SchemaPart = {
    name: 'device_codes',
    migrations: [
      `CREATE TABLE ${tables.deviceCodes} (
  created_at timestamptz(3) NOT NULL,
  expires_at timestamptz(3) NOT NULL,
  last_polled_at timestamptz(3),
  poll_interval bigint NOT NULL,
  id text COLLATE "C" PRIMARY KEY,
  user_code_id text COLLATE "C" NOT NULL UNIQUE,
  status text NOT NULL CHECK (status IN ('pending', 'approved', 'denied')),
  user_id text COLLATE "C" CHECK ((user_id IS NOT NULL) = (status = 'approved')),
  session_id text COLLATE "C" CHECK ((session_id IS NOT NULL) = (status = 'approved')),
  metadata json
) WITH (fillfactor = 85);
CREATE INDEX ${tables.deviceCodesEndIndex} ON ${tables.deviceCodes} (expires_at);
CREATE INDEX ${tables.deviceCodesUserIndex} ON ${tables.deviceCodes} USING hash (user_id) WHERE user_id IS NOT NULL`,
    ],
  }
  const users: SchemaPart = {
    name: 'users',
    migrations: [
      `CREATE TABLE ${tables.users} (
  created_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  id text COLLATE "C" PRIMARY KEY,
  auth_provider_id text COLLATE "C" NOT NULL
) WITH (fillfactor = 85)`,
    ],
  }
  const revocations: SchemaPart = { name: 'revocations', migrations: [revocationSchema(tables)] }
  const indexes = indexedKeys.map((key) => metadataIndex(tables, key))
  return [sessions, data, deviceCodes, revocations, ...indexes, ...(withUsers ? [users] : [])]
}

/** Rejects with `GOSESH_ERR_STORE_SCHEMA` if `migratePostgres` has something to do. */
export async function checkPostgres(
  runner: StatementRunner,
  tables: TableNames,
  wanted: Wanted,
): Promise<void> {
  const sql = `SELECT part, version::text AS version FROM ${tables.versions}`
  const { rows } = await runner.run(statement('get_versions', sql), [])
  const versions = new Map(rows.map(({ part, version }) => [part, Number(version)]))
  for (const { name, migrations } of postgresMigrations(tables, wanted)) {
    if ((versions.get(name) ?? 0) < migrations.length) throw new GoseshError('GOSESH_ERR_STORE_SCHEMA')
  }
}

/**
 * The advisory lock of every migration in a database. One for all, because two stores may make one schema, or name one
 * place in two ways.
 */
export const migrationLock = hash('sha256', 'gosesh', 'buffer').readBigInt64BE().toString()

async function exists(client: PostgresClient, expression: string, name: string): Promise<boolean> {
  const { rows } = await client.query(plainQuery(`SELECT (${expression})::text AS found`, [name]))
  return rows[0]?.found === 'true'
}

/** The table of versions, made if it is not there yet. A role that may make nothing can still find it. */
async function createVersions(client: PostgresClient, { schema, versions }: TableNames): Promise<void> {
  if (await exists(client, 'to_regclass($1::text) IS NOT NULL', versions)) return
  if (
    schema !== null &&
    !(await exists(client, 'EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text)', schema))
  ) {
    await client.query(plainQuery(`CREATE SCHEMA ${quoteIdentifier(schema)}`))
  }
  await client.query(plainQuery(`CREATE TABLE ${versions} (part text PRIMARY KEY, version integer NOT NULL)`))
}

async function advance(
  client: PostgresClient,
  versions: string,
  { name, migrations }: SchemaPart,
): Promise<void> {
  const { rows } = await client.query(
    plainQuery(`SELECT version::text AS version FROM ${versions} WHERE part = $1::text`, [name]),
  )
  const version = Number(rows[0]?.version ?? 0)
  // A newer version did more than we know of: another process may run it already, and what we need is there.
  if (version >= migrations.length) return
  for (const migration of migrations.slice(version)) await client.query(plainQuery(migration))
  await client.query(
    plainQuery(
      `INSERT INTO ${versions} AS v (part, version) VALUES ($1::text, $2::integer)
       ON CONFLICT (part) DO UPDATE SET version = excluded.version`,
      [name, migrations.length],
    ),
  )
}

/** Brings the tables to this version, all or nothing. Of several callers at once, one does it and the others wait. */
export async function migratePostgres(pool: PostgresPool, tables: TableNames, wanted: Wanted): Promise<void> {
  try {
    // Whoever waits for the lock must then see what its holder did, which a snapshot of the start would hide.
    await inReadCommitted(pool, async (client) => {
      await client.query(plainQuery('SELECT pg_advisory_xact_lock($1::bigint)::text', [migrationLock]))
      await createVersions(client, tables)
      for (const part of postgresMigrations(tables, wanted)) await advance(client, tables.versions, part)
    })
  } catch (error) {
    throw migrationError(error)
  }
}

function migrationError(cause: unknown): GoseshError {
  if (!isDuplicateTable(cause)) return storeError(cause)
  return new GoseshError('GOSESH_ERR_STORE_SCHEMA', {
    message:
      'A table or index that store.migrate() would make exists already; choose another tablePrefix or schema',
    cause,
  })
}
