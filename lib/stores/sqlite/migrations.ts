import { metadataIndexName } from '../shared/metadata.js'

/** A group of tables that a store may need. Its version is the number of its migrations that have run. */
export interface SqliteSchemaPart {
  readonly name: string
  /** Plain SQL, oldest first. A migration that has been released is never changed, and only ever adds. */
  readonly migrations: readonly string[]
}

/** The table that keeps the version of each part. */
export function sqliteVersionTable(prefix: string): string {
  return `CREATE TABLE IF NOT EXISTS ${prefix}schema (
  part TEXT NOT NULL PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT;`
}

/**
 * What the index of a key holds: `NULL`, and so no entry, for a session without it. Text that somebody broke by hand
 * must not keep the others from being found, nor the index from being made.
 */
export function sqliteIndexedFact(key: string): string {
  return `CASE WHEN json_valid(metadata) THEN json_extract(metadata, '$."${key}"') END`
}

/** The index of sessions by a key of their metadata. */
export function sqliteMetadataIndexPart(prefix: string, key: string): SqliteSchemaPart {
  const fact = sqliteIndexedFact(key)
  const name = metadataIndexName(key)
  return {
    name,
    migrations: [
      `CREATE INDEX ${prefix}sessions_${name} ON ${prefix}sessions (${fact}) WHERE ${fact} IS NOT NULL;`,
    ],
  }
}

/**
 * The sessions. Times and durations are milliseconds, times since the epoch. `number` counts sign-ins, so that
 * sessions that are active together lie together, and a sweep can page through the table in the order it is kept in.
 * Neither deadline has an index: every write of activity would have to move the entry. The other indexes have names,
 * so that a statement can insist on one.
 */
export function sqliteSessionsPart(prefix: string): SqliteSchemaPart {
  return {
    name: 'sessions',
    migrations: [
      `CREATE TABLE ${prefix}sessions (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  secret_hash TEXT NOT NULL,
  version INTEGER NOT NULL,
  user_id TEXT,
  created_at INTEGER NOT NULL,
  last_activity_at INTEGER NOT NULL,
  authenticated_at INTEGER NOT NULL,
  idle_timeout INTEGER,
  idle_deadline INTEGER,
  absolute_timeout INTEGER NOT NULL,
  absolute_deadline INTEGER NOT NULL,
  persistent INTEGER NOT NULL CHECK (persistent IN (0, 1)),
  device_bound INTEGER NOT NULL CHECK (device_bound IN (0, 1)),
  metadata TEXT,
  details TEXT
) STRICT;
CREATE UNIQUE INDEX ${prefix}sessions_id ON ${prefix}sessions (id);
CREATE INDEX ${prefix}sessions_user_id ON ${prefix}sessions (user_id);`,
    ],
  }
}

/** The users, if the application has no table of its own. */
export function sqliteUsersPart(prefix: string): SqliteSchemaPart {
  return {
    name: 'users',
    migrations: [
      `CREATE TABLE ${prefix}users (
  id TEXT NOT NULL PRIMARY KEY,
  auth_provider_id TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL
) STRICT;`,
    ],
  }
}

/** The devices that wait for their users. Nothing that moves has an index, so the end may have one. */
export function sqliteDeviceCodesPart(prefix: string): SqliteSchemaPart {
  return {
    name: 'device_codes',
    migrations: [
      `CREATE TABLE ${prefix}device_codes (
  id TEXT NOT NULL PRIMARY KEY,
  user_code_id TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  poll_interval INTEGER NOT NULL,
  last_polled_at INTEGER,
  status TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied')),
  user_id TEXT CHECK ((user_id IS NOT NULL) = (status = 'approved')),
  session_id TEXT CHECK ((session_id IS NOT NULL) = (status = 'approved')),
  metadata TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX ${prefix}device_codes_expires_at ON ${prefix}device_codes (expires_at);
CREATE INDEX ${prefix}device_codes_user_id ON ${prefix}device_codes (user_id) WHERE user_id IS NOT NULL;`,
    ],
  }
}

/**
 * What the application keeps with sessions. A trigger deletes it with the session: a foreign key would need a setting of the
 * connection, which is the application's.
 */
export function sqliteDataPart(prefix: string): SqliteSchemaPart {
  return {
    name: 'session_data',
    migrations: [
      `CREATE TABLE ${prefix}session_data (
  session_id TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (session_id, key)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER ${prefix}session_data_end AFTER DELETE ON ${prefix}sessions BEGIN
  DELETE FROM ${prefix}session_data WHERE session_id = OLD.id;
END;`,
    ],
  }
}
