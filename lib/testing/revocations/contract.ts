import type { RevocationLog } from '../../../types/revocation-log.js'
import type { SessionStore } from '../../../types/store.js'
import { revocationCases } from './cases.js'
import { revocationConcurrencyCases } from './concurrency-cases.js'

export interface RevocationLogContractOptions {
  /** The runner's own: `test` of node:test or vitest, `t.test` of tap. Cases must not run at the same time. */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /** Makes a store without sessions; called once for each case. */
  readonly createStore: () => (SessionStore & RevocationLog) | Promise<SessionStore & RevocationLog>
}

/**
 * Registers one case for each rule of a log of revocations with `test`, each on a store of its own. A store that passes works
 * with `sessionCache`.
 *
 *     revocationLogContract({ test, createStore: () => new MyStore() })
 */
export function revocationLogContract({ test, createStore }: RevocationLogContractOptions): void {
  const cases = { ...revocationCases, ...revocationConcurrencyCases }
  for (const [name, run] of Object.entries(cases)) test(name, async () => run(await createStore()))
}
