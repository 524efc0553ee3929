import type { UpsertUser } from '../../core/validation.js'

export interface PostgresStoreOptions {
  /** Where the tables are. Default: wherever the connection's `search_path` finds them. */
  readonly schema?: string | undefined
  /** What the names of the tables begin with. Default: `gosesh_`. */
  readonly tablePrefix?: string | undefined
  /**
   * Keys of the metadata by which `deleteSessionsByMetadata` finds sessions without reading the whole table, beside
   * `oidc_sid` and `oidc_sub`. `migrate` makes an index for each, which locks the table until it is made. Default: none.
   */
  readonly indexedMetadata?: readonly string[] | undefined
  /**
   * Finds or makes the user of an auth provider id in a table of the application's own, and resolves the user's id;
   * `migrate` then makes no table of users. Default: a table of users beside the sessions.
   */
  readonly upsertUser?: UpsertUser | undefined
  /** `false` for a connection pooler that cannot keep prepared statements. Default: `true`. */
  readonly preparedStatements?: boolean | undefined
}
