import type { Revocation, RevocationLog, Revocations } from '../../../types/revocation-log.js'
import type { SessionId } from '../../../types/session.js'
import { isInvalidText, type Statement, type StatementRunner, statement, type TextRow } from './client.js'
import { quoteLiteral, type TableNames } from './tables.js'

/** Entries of one answer. More are a case for asking the store about every session anew. */
const maxEntries = 10_000
/** An entry is kept for at least this long. It only has to outlast the time between two polls of one process. */
const keptFor = '10 minutes'

/**
 * What writes the log. A sweep says by which time it deletes what has expired (`sweepBlocks`), and that is not logged. An update
 * that names nothing but what activity moves is no change.
 */
export function revocationSchema({ schema, sessions, ...tables }: TableNames): string {
  const { revocations, revocationsIndex, revocationMarker, logRevocations } = tables
  const body = `
DECLARE
  swept_before timestamptz;
BEGIN
  IF TG_OP = 'DELETE' THEN
    swept_before := nullif(current_setting('gosesh.swept_before', true), '')::timestamptz;
    INSERT INTO ${revocations} (session_id, ended)
    SELECT id, true FROM gone
    WHERE user_id IS NOT NULL
      AND (swept_before IS NULL OR least(idle_deadline, absolute_deadline) >= swept_before);
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO ${revocations} (session_id, ended) VALUES (OLD.id, NEW.id <> OLD.id);
  ELSE
    DELETE FROM ${revocationMarker};
  END IF;
  RETURN NULL;
END
`
  // The transaction of an entry is what a cursor goes by. UNLOGGED: a crash of the server empties both tables.
  return `CREATE UNLOGGED TABLE ${revocations} (
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  session_id text COLLATE "C" NOT NULL,
  ended boolean NOT NULL
);
CREATE INDEX ${revocationsIndex} ON ${revocations} (xid);
CREATE UNLOGGED TABLE ${revocationMarker} (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  horizon xid8 NOT NULL DEFAULT '0',
  next_horizon xid8 NOT NULL DEFAULT '0',
  next_horizon_at timestamptz
);
CREATE FUNCTION ${logRevocations}() RETURNS trigger LANGUAGE plpgsql
${schema === null ? 'SET search_path FROM CURRENT ' : ''}AS ${quoteLiteral(body)};
CREATE TRIGGER log_deletions AFTER DELETE ON ${sessions}
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION ${logRevocations}();
CREATE TRIGGER log_changes AFTER UPDATE OF id, user_id, secret_hash, version, created_at, authenticated_at,
  absolute_deadline, idle_timeout, absolute_timeout, persistent, device_bound, metadata, details ON ${sessions}
  FOR EACH ROW WHEN (OLD.user_id IS NOT NULL) EXECUTE FUNCTION ${logRevocations}();
CREATE TRIGGER log_truncation AFTER TRUNCATE ON ${sessions}
  FOR EACH STATEMENT EXECUTE FUNCTION ${logRevocations}();
CREATE TRIGGER log_truncation AFTER TRUNCATE ON ${revocations}
  FOR EACH STATEMENT EXECUTE FUNCTION ${logRevocations}()`
}

interface RevocationStatements {
  readonly read: Statement
  readonly begin: Statement
  readonly prune: Statement
}

function revocationStatements({ revocations, revocationMarker }: TableNames): RevocationStatements {
  return {
    // One row for each entry, or one without an entry; no row without a marker. The log is read by its index: what began after the
    // snapshot of the cursor, and what was under way then. The start of the server is in the name for copies of a server that was
    // stopped, and the table's own number for copies of a database: to both the snapshot means nothing.
    read: statement(
      'read_revocations',
      `SELECT m.log, m.known::text AS known, pg_current_snapshot()::text AS snapshot, r.id, r.ended
       FROM (
         SELECT log, log = $1::text AND horizon <= pg_snapshot_xmin($2::pg_snapshot) AS known
         FROM (
           SELECT concat_ws('-', tableoid, id, extract(epoch FROM pg_postmaster_start_time())) AS log, horizon
           FROM ${revocationMarker}
         ) AS marker
       ) AS m
       LEFT JOIN (
         (SELECT session_id AS id, ended::text AS ended FROM ${revocations}
          WHERE xid >= pg_snapshot_xmax($2::pg_snapshot)
          ORDER BY xid LIMIT ${maxEntries + 1})
         UNION ALL
         (SELECT session_id, ended::text FROM ${revocations}
          WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($2::pg_snapshot)))
          LIMIT ${maxEntries + 1})
       ) AS r ON m.known`,
    ),
    begin: statement(
      'begin_revocations',
      `INSERT INTO ${revocationMarker} DEFAULT VALUES ON CONFLICT DO NOTHING`,
    ),
    // Transactions below the horizon had ended when its snapshot was taken, which a call that is later by `keptFor` makes the
    // horizon. By time alone an entry could go whose transaction took so long that nobody has seen it.
    prune: statement(
      'prune_revocations',
      `WITH marker AS (
         INSERT INTO ${revocationMarker} AS m (next_horizon, next_horizon_at)
         VALUES (pg_snapshot_xmin(pg_current_snapshot()), $1::timestamptz)
         ON CONFLICT (singleton) DO UPDATE
         SET horizon = CASE WHEN m.next_horizon_at <= excluded.next_horizon_at THEN m.next_horizon ELSE m.horizon END,
             next_horizon = greatest(m.next_horizon, excluded.next_horizon),
             next_horizon_at = excluded.next_horizon_at
         WHERE (m.next_horizon_at <= excluded.next_horizon_at
                AND m.next_horizon_at > excluded.next_horizon_at - interval '${keptFor}') IS NOT TRUE
         RETURNING horizon
       )
       DELETE FROM ${revocations} WHERE xid < (SELECT horizon FROM marker)`,
    ),
  }
}

const cursorPattern = /^([\w.-]+) (\d+:\d+:[\d,]*)$/
/** A snapshot for a call without a cursor. */
const noSnapshot = '1:1:'

/**
 * What ended, as the triggers write it down. A cursor is a snapshot: what has happened since is what it does not see. It means
 * something to the log whose marker it names, as long as nothing was removed that it does not see.
 */
export class PostgresRevocations implements RevocationLog {
  readonly #runner: StatementRunner
  readonly #statements: RevocationStatements

  constructor(runner: StatementRunner, tables: TableNames) {
    this.#runner = runner
    this.#statements = revocationStatements(tables)
  }

  async readRevocations(cursor: string | null): Promise<Revocations> {
    const [, log = '', snapshot = noSnapshot] = cursorPattern.exec(cursor ?? '') ?? []
    const rows = await this.#read(log, snapshot)
    const [first] = rows
    if (first === undefined) {
      await this.#runner.run(this.#statements.begin, [])
      return { ...(await this.readRevocations(null)), entries: cursor === null ? [] : null }
    }
    const next = `${first.log} ${first.snapshot}`
    if (cursor === null) return { cursor: next, entries: [] }
    const known = first.known === 'true' && rows.length <= maxEntries
    return { cursor: next, entries: known ? toRevocations(rows) : null }
  }

  /** Forgets what everybody has read. `at`: the time, by the same clock in each call. */
  async prune(at: Date): Promise<void> {
    await this.#runner.run(this.#statements.prune, [at.toISOString()])
  }

  async #read(log: string, snapshot: string): Promise<TextRow[]> {
    try {
      return (await this.#runner.run(this.#statements.read, [log, snapshot])).rows
    } catch (error) {
      if (!isInvalidText(error)) throw error
      return await this.#read('', noSnapshot)
    }
  }
}

/** One for each session: if it was changed and has ended, its end. */
function toRevocations(rows: readonly TextRow[]): Revocation[] {
  const ended = new Map<SessionId, boolean>()
  for (const row of rows) {
    if (row.id === null) continue
    const id = row.id as SessionId
    ended.set(id, row.ended === 'true' || ended.get(id) === true)
  }
  return Array.from(ended, ([id, ended]) => ({ id, ended }))
}
