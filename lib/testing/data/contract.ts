import type { SessionDataStore } from '../../../types/data.js'
import type { SessionStore } from '../../../types/store.js'
import { dataCases } from './cases.js'
import { dataConcurrencyCases } from './concurrency-cases.js'
import { dataLifeCases } from './life-cases.js'

export interface SessionDataContractOptions {
  /** The runner's own: `test` of node:test or vitest, `t.test` of tap. Cases must not run at the same time. */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /** Makes a store without sessions; called once for each case. */
  readonly createStore: () => (SessionStore & SessionDataStore) | Promise<SessionStore & SessionDataStore>
}

/**
 * Registers one case for each rule of session data with `test`, each on a store of its own. A store that passes works with
 * `request.sessionData`.
 *
 *     sessionDataStoreContract({ test, createStore: () => new MyStore() })
 */
export function sessionDataStoreContract({ test, createStore }: SessionDataContractOptions): void {
  const cases = { ...dataCases, ...dataLifeCases, ...dataConcurrencyCases }
  for (const [name, run] of Object.entries(cases)) test(name, async () => run(await createStore()))
}
