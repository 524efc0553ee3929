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
  user_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_activity_at INTEGER NOT NULL,
  idle_timeout INTEGER,
  idle_deadline INTEGER,
  absolute_deadline INTEGER NOT NULL,
  metadata TEXT
) STRICT;
CREATE UNIQUE INDEX ${prefix}sessions_id ON ${prefix}sessions (id);
CREATE INDEX ${prefix}sessions_user_id ON ${prefix}sessions (user_id);`,
    ],
  }
}

/** The users, where the application has no table of its own. */
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
