import { metadataIndexName } from '../shared/metadata.js'
import { sqliteIndexedFact } from './migrations.js'

/** Every statement of the store on its sessions and users. Tables and indexes are those of the migrations. */
export interface SqliteStatements {
  readonly upsertUser: string
  readonly createSession: string
  readonly getSession: string
  readonly listUserSessions: string
  readonly extendSession: string
  readonly updateSession: string
  readonly deleteUser: string
  readonly batchRecordActivity: string
  readonly deleteSession: string
  readonly deleteUserSessions: string
  readonly deleteAllSessions: string
  readonly findExpired: string
  readonly deleteExpired: string
  /** By the key that the session is found by. */
  readonly deleteByFact: ReadonlyMap<string, string>
  readonly deleteByMetadata: string
}

/** The database's own time in milliseconds, in a form that old releases of SQLite know too. */
const now = "CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
/** When a session ends. Of two values, `min` is `NULL` if one is. */
const deadline = 'min(absolute_deadline, ifnull(idle_deadline, absolute_deadline))'
const columns = `id, secret_hash, version, user_id, created_at, last_activity_at, authenticated_at, idle_timeout,
        idle_deadline, absolute_timeout, absolute_deadline, persistent, device_bound, metadata, details`

/** True if the session's metadata holds all the pairs of an object. No pairs are held by all. */
const holdsPairs = `NOT EXISTS (
        SELECT 1 FROM json_each(?) AS pair WHERE NOT EXISTS (
          SELECT 1 FROM json_each(CASE WHEN json_valid(metadata) THEN metadata END) AS fact
          WHERE fact.key = pair.key AND fact.value = pair.value AND fact.type = pair.type
        )
      )`

/**
 * `INDEXED BY` if the planner has a choice: after `ANALYZE` on a table of a few rows it would read the whole table,
 * and go on doing so when it has a million. `NOT INDEXED` leaves the order in which the table is kept.
 */
export function sqliteStatements(prefix: string, indexedKeys: readonly string[]): SqliteStatements {
  const sessions = `${prefix}sessions`
  const byId = `${sessions} INDEXED BY ${sessions}_id`
  const byUser = `${sessions} INDEXED BY ${sessions}_user_id`
  const deleteByFact = (key: string): string => `
      DELETE FROM ${sessions} INDEXED BY ${sessions}_${metadataIndexName(key)}
      WHERE ${sqliteIndexedFact(key)} = ? AND ${holdsPairs}
      RETURNING id`
  return {
    // For people who read the table; nothing is decided by these times, which is why they need no clock of ours.
    upsertUser: `
      INSERT INTO ${prefix}users (id, auth_provider_id, created_at, last_seen_at) VALUES (?, ?, ${now}, ${now})
      ON CONFLICT (auth_provider_id) DO UPDATE SET last_seen_at = excluded.last_seen_at
      RETURNING id`,

    createSession: `
      INSERT INTO ${sessions} (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO NOTHING`,

    getSession: `SELECT ${columns} FROM ${byId} WHERE id = ?`,

    listUserSessions: `SELECT ${columns} FROM ${byUser} WHERE user_id = ?`,

    // A NULL on either side leaves the idle deadline as it is.
    extendSession: `
      UPDATE ${byId}
      SET last_activity_at = max(last_activity_at, ?),
        idle_deadline = max(idle_deadline, ifnull(?, idle_deadline))
      WHERE id = ?`,

    // `NULL` leaves a column as it is; of two texts that may become `NULL`, a flag says if they are given.
    updateSession: `
      UPDATE ${byId}
      SET version = version + 1,
        secret_hash = ifnull(?, secret_hash),
        authenticated_at = ifnull(?, authenticated_at),
        absolute_deadline = max(absolute_deadline, ifnull(?, absolute_deadline)),
        idle_deadline = min(
          max(absolute_deadline, ifnull(?, absolute_deadline)), max(idle_deadline, ifnull(?, idle_deadline))
        ),
        device_bound = ifnull(?, device_bound),
        metadata = iif(?, ?, metadata),
        details = iif(?, ?, details)
      WHERE id = ? AND version = ?`,

    deleteUser: `DELETE FROM ${prefix}users WHERE id = ?`,

    // The likelihood is for the planner alone: a batch that it takes for tiny is looked up in the table, where it
    // might otherwise walk the whole batch for each row of the table.
    batchRecordActivity: `
      WITH batch AS MATERIALIZED (SELECT key AS id, value AS at FROM json_each(?))
      UPDATE ${byId}
      SET last_activity_at = batch.at, 
        idle_deadline = max(idle_deadline, min(absolute_deadline, batch.at + idle_timeout))
      FROM batch
      WHERE ${sessions}.id = batch.id AND last_activity_at < batch.at
        AND likelihood(batch.at IS NOT NULL, 0.000001)`,

    deleteSession: `DELETE FROM ${byId} WHERE id = ?`,

    deleteUserSessions: `DELETE FROM ${byUser} WHERE user_id = ? AND id IS NOT ?`,

    deleteAllSessions: `DELETE FROM ${sessions}`,

    findExpired: `
      SELECT count(*) AS seen, max(number) AS last, count(expired) AS expired,
        json_group_array(expired) FILTER (WHERE expired IS NOT NULL) AS ids
      FROM (
        SELECT number, iif(${deadline} < ?, id, NULL) AS expired FROM ${sessions} NOT INDEXED
        WHERE number > ? AND number <= ? ORDER BY number LIMIT ?
      )`,

    // The deadline again: another process may have extended the session since it was found. The limit counts those that
    // are still expired.
    deleteExpired: `
      DELETE FROM ${byId}
      WHERE id IN (
        SELECT id FROM ${byId} WHERE id IN (SELECT value FROM json_each(?)) AND ${deadline} < ? LIMIT ?
      )`,

    deleteByFact: new Map(indexedKeys.map((key) => [key, deleteByFact(key)])),

    deleteByMetadata: `
      DELETE FROM ${sessions} WHERE metadata IS NOT NULL AND ${holdsPairs} RETURNING id`,
  }
}
