import { type Statement, statement } from './client.js'
import { sessionColumns } from './codec.js'
import { indexedFact } from './migrations.js'
import { quoteLiteral, type TableNames } from './tables.js'

export interface Statements {
  readonly upsertUser: Statement
  readonly createSession: Statement
  readonly getSession: Statement
  readonly listUserSessions: Statement
  readonly extendSession: Statement
  readonly updateSession: Statement
  readonly deleteUser: Statement
  readonly recordActivity: Statement
  readonly deleteSession: Statement
  readonly deleteUserSessions: Statement
  readonly deletePage: Statement
  readonly sweepBlocks: Statement
  /** By the key that the sessions are found by. */
  readonly deleteByFact: ReadonlyMap<string, Statement>
  readonly deleteByMetadata: Statement
}

/**
 * Every statement of a store. Those that touch many rows lock them in the order of their ids first: the `SELECT … ORDER
 * BY id FOR [NO KEY] UPDATE` in each. Locks are taken on the newest version of a row, and conditions are looked at again there.
 */
export function statements({ sessions, users }: TableNames, indexedKeys: readonly string[]): Statements {
  const deleteWhere = (condition: string): string =>
    `WITH doomed AS (
         SELECT id FROM ${sessions} WHERE ${condition}
         ORDER BY id
         FOR UPDATE
       )
       DELETE FROM ${sessions} WHERE id = ANY (ARRAY(SELECT id FROM doomed)) RETURNING id`
  // `jsonb` cannot hold all that `json` can, so only what may match is made one.
  const holdsPairs = (mayMatch: string): string =>
    `CASE WHEN ${mayMatch} THEN metadata::jsonb @> $1::jsonb ELSE false END`
  const deleteByFact = (key: string): string => {
    const found = `${indexedFact(key)} = $2::text`
    return deleteWhere(`${found} AND ${holdsPairs(found)}`)
  }

  return {
    upsertUser: statement(
      'upsert_user',
      `INSERT INTO ${users} (id, auth_provider_id) VALUES ($1::text, $2::text)
       ON CONFLICT (id) DO UPDATE SET last_seen_at = now()`,
    ),

    // An error would end the connection (that is how pg's pool does it) and fill the server's log: a conflict is neither.
    createSession: statement(
      'create_session',
      `INSERT INTO ${sessions} (
         id, user_id, created_at, last_activity_at, absolute_deadline, idle_deadline, idle_timeout, metadata,
         secret_hash, version, authenticated_at, absolute_timeout, persistent, device_bound, details
       ) VALUES (
         $1::text, $2::text, $3::timestamptz, $4::timestamptz, $5::timestamptz, $6::timestamptz, $7::bigint, $8::json,
         $9::text, $10::integer, $11::timestamptz, $12::bigint, $13::boolean, $14::boolean, $15::text
       ) ON CONFLICT (id) DO NOTHING`,
    ),

    getSession: statement('get_session', `SELECT ${sessionColumns} FROM ${sessions} WHERE id = $1::text`),

    listUserSessions: statement(
      'list_user_sessions',
      `SELECT id, ${sessionColumns} FROM ${sessions} WHERE user_id = $1::text`,
    ),

    // `due` decides once if there is something to move: the row that another transaction moves meanwhile is
    // then still updated, so no row in `moved` means that it was deleted.
    extendSession: statement(
      'extend_session',
      `WITH due AS (
         SELECT id FROM ${sessions}
         WHERE id = $1::text AND (last_activity_at < $2::timestamptz OR idle_deadline < $3::timestamptz)
       ), moved AS (
         UPDATE ${sessions} AS s
         SET last_activity_at = greatest(s.last_activity_at, $2::timestamptz),
             idle_deadline = CASE WHEN s.idle_deadline IS NOT NULL
                                  THEN greatest(s.idle_deadline, $3::timestamptz) END
         FROM due WHERE s.id = due.id
         RETURNING s.id
       )
       SELECT (
         EXISTS (SELECT FROM moved)
         OR NOT EXISTS (SELECT FROM due) AND EXISTS (SELECT FROM ${sessions} WHERE id = $1::text)
       )::text AS found`,
    ),

    // `NULL` leaves a column as it is; for a text that may become `NULL` a flag says if it is given. Nothing here but the
    // metadata has an index, and a value that stays the same keeps the update on its page. Of two at once the second waits,
    // and then finds another version.
    updateSession: statement(
      'update_session',
      `WITH updated AS (
         UPDATE ${sessions}
         SET version = version + 1,
             secret_hash = coalesce($3::text, secret_hash),
             authenticated_at = coalesce($4::timestamptz, authenticated_at),
             absolute_deadline = greatest(absolute_deadline, $5::timestamptz),
             idle_deadline = CASE WHEN idle_deadline IS NOT NULL
               THEN least(greatest(absolute_deadline, $5::timestamptz), greatest(idle_deadline, $6::timestamptz)) END,
             device_bound = coalesce($7::boolean, device_bound),
             metadata = CASE WHEN $8::boolean THEN $9::json ELSE metadata END,
             details = CASE WHEN $10::boolean THEN $11::text ELSE details END
         WHERE id = $1::text AND version = $2::integer
         RETURNING 1
       )
       SELECT CASE WHEN EXISTS (SELECT FROM updated) THEN 'updated'
                   WHEN EXISTS (SELECT FROM ${sessions} WHERE id = $1::text) THEN 'conflict'
                   ELSE 'absent' END AS result`,
    ),

    deleteUser: statement('delete_user', `DELETE FROM ${users} WHERE id = $1::text`),

    // The arrays are behind a SELECT so that the planner does not know how many there are: it would read the whole table
    // for a large batch. Each row is looked up once and then found by its place. One that another transaction moved
    // while this one waited for it has a new place, which this statement cannot see yet: it is missed, and found by the
    // next one. `set_config` holds until this statement commits, and is gone with it.
    recordActivity: statement(
      'record_activity',
      `WITH locked AS (
         SELECT s.ctid AS place, given.at
         FROM (
           SELECT id, to_timestamp(milliseconds / 1000) AS at
           FROM unnest(
             string_to_array((SELECT $1::text), ','),
             string_to_array((SELECT $2::text), ',')::float8[]
           ) AS pending (id, milliseconds)
         ) AS given
         JOIN ${sessions} AS s ON s.id = given.id
         WHERE s.last_activity_at < given.at
         ORDER BY s.id
         FOR NO KEY UPDATE OF s
       ), moved AS (
         UPDATE ${sessions} AS s
         SET last_activity_at = locked.at,
             idle_deadline = CASE WHEN s.idle_timeout IS NOT NULL
               THEN greatest(s.idle_deadline,
                          least(s.absolute_deadline, locked.at + s.idle_timeout * interval '1 millisecond')) END
         FROM locked WHERE s.ctid = locked.place
         RETURNING 1
       )
       SELECT count(*)::text AS moved, ((SELECT count(*) FROM locked) - count(*))::text AS missed,
         set_config('synchronous_commit', 'off', true) FROM moved`,
    ),

    deleteSession: statement('delete_session', `DELETE FROM ${sessions} WHERE id = $1::text`),

    // An array, for the planner then takes the primary key however many ids it has.
    deleteUserSessions: statement(
      'delete_user_sessions',
      `WITH doomed AS (
         SELECT id FROM ${sessions}
         WHERE user_id = $1::text AND id IS DISTINCT FROM $2::text
         ORDER BY id
         FOR UPDATE
       )
       DELETE FROM ${sessions} WHERE id = ANY (ARRAY(SELECT id FROM doomed))`,
    ),

    deletePage: statement(
      'delete_page',
      `WITH doomed AS (
         SELECT id FROM ${sessions} WHERE id > $1::text ORDER BY id LIMIT $2::bigint FOR UPDATE
       ), deleted AS (
         DELETE FROM ${sessions} WHERE id = ANY (ARRAY(SELECT id FROM doomed)) RETURNING id
       )
       SELECT count(*)::text AS deleted, max(id) AS last FROM deleted`,
    ),

    // In the order in which rows lie on disk, as there is no index on what activity moves. It waits for no lock, so its
    // order does not matter: a row that somebody holds is being written or deleted, and is left to them. The trigger that logs
    // what ends runs after all of it, and is told that this is not to be logged; the setting ends with the statement.
    sweepBlocks: statement(
      'sweep_blocks',
      `WITH doomed AS (
         SELECT id FROM ${sessions}
         WHERE ctid >= $1::tid AND ctid < $2::tid AND least(idle_deadline, absolute_deadline) < $3::text::timestamptz
         LIMIT $4::bigint
         FOR UPDATE SKIP LOCKED
       ), deleted AS (
         DELETE FROM ${sessions} WHERE id = ANY (ARRAY(SELECT id FROM doomed)) RETURNING id
       )
       SELECT count(*)::text AS deleted,
              (pg_relation_size(${quoteLiteral(sessions)}::regclass) / current_setting('block_size')::bigint)::text AS blocks,
              set_config('gosesh.swept_before', $3::text, true)
       FROM deleted`,
    ),

    deleteByFact: new Map(indexedKeys.map((key) => [key, statement('delete_by_fact', deleteByFact(key))])),

    deleteByMetadata: statement(
      'delete_by_metadata',
      deleteWhere(holdsPairs('strpos(metadata::text, $2::text) > 0')),
    ),
  }
}
