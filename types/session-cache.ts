/** `app.gosesh.cacheStats`: of the option `sessionCache`, since the process began. */
export interface SessionCacheStats {
  /** Requests that found their session in memory. */
  readonly hits: number
  /** Requests that might have, and read the store. */
  readonly misses: number
  /**
   * Milliseconds since the last successful look at the log of revocations began; `null`: there was none yet. At `maxStaleness` and
   * above, requests read the store.
   */
  readonly provenAgeMs: number | null
  /** Sessions in memory. */
  readonly size: number
}
