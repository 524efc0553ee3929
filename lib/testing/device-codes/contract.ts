import type { DeviceCodeProvider } from '../../../types/store.js'
import { deviceCodeCases } from './cases.js'
import { deviceCodeEndCases } from './end-cases.js'

export interface DeviceCodeContractOptions {
  /** The runner's own: `test` of node:test or vitest, `t.test` of tap. Cases must not run at the same time. */
  readonly test: (name: string, run: () => Promise<void>) => unknown
  /** Makes a store without device codes; called once for each case. */
  readonly createStore: () => DeviceCodeProvider | Promise<DeviceCodeProvider>
}

/**
 * Registers one case for each rule of device codes with `test`, each on a store of its own. A store that passes works
 * with the option `deviceAuthorization` of `gosesh/oauth`.
 *
 *     deviceCodeStoreContract({ test, createStore: () => new MyStore() })
 */
export function deviceCodeStoreContract({ test, createStore }: DeviceCodeContractOptions): void {
  const cases = { ...deviceCodeCases, ...deviceCodeEndCases }
  for (const [name, run] of Object.entries(cases)) {
    test(name, async () => run((await createStore()).deviceCodes))
  }
}
