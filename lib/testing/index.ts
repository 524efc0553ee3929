import assert from 'node:assert/strict'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SchemaChecker,
  SessionLister,
  SessionStore,
  SessionUpdater,
  UserDeleter,
} from '../../types/store.js'
import { hasCapability } from '../core/capabilities.js'
import type { ContractCases } from './fixtures.js'
import { activityCases } from './sessions/activity-cases.js'
import { concurrencyCases } from './sessions/concurrency-cases.js'
import { deletionCases } from './sessions/deletion-cases.js'
import { extensionCases } from './sessions/extension-cases.js'
import { listingCases } from './sessions/listing-cases.js'
import { metadataCases } from './sessions/metadata-cases.js'
import { schemaCases } from './sessions/schema-cases.js'
import { sessionCases } from './sessions/session-cases.js'
import { deleteAllCases, sweepCases } from './sessions/sweep-cases.js'
import { updateCases } from './sessions/update-cases.js'
import { userCases } from './sessions/user-cases.js'
import { userDeletionCases } from './sessions/user-deletion-cases.js'

export { type SessionDataContractOptions, sessionDataStoreContract } from './data/contract.js'
export { type DeviceCodeContractOptions, deviceCodeStoreContract } from './device-codes/contract.js'
export { type RevocationLogContractOptions, revocationLogContract } from './revocations/contract.js'
export { type SignedInUser, type SignInAsOptions, signInAs } from './sign-in-as.js'

type Capabilities = ActivityRecorder &
  SessionLister &
  ExpiredSessionSweeper &
  AllSessionsDeleter &
  MetadataSessionsDeleter &
  SchemaChecker &
  SessionUpdater &
  UserDeleter

/** The name of a store's optional method. */
export type StoreCapability = keyof Capabilities

export interface StoreContractOptions {
  /** The runner's own: `test` of node:test or vitest, `t.test` of tap. Cases must not run at the same time. */
  readonly test: (name: string, run: (context?: unknown) => Promise<void>) => unknown
  /** Makes a store without sessions; called once for each case. */
  readonly createStore: () => SessionStore | Promise<SessionStore>
  /**
   * The optional methods that the store must have, and no others. Default: those that it has; the cases of the
   * others are reported as skipped.
   */
  readonly capabilities?: readonly StoreCapability[] | undefined
}

const capabilityCases: Readonly<Record<StoreCapability, ContractCases<Capabilities>>> = {
  batchRecordActivity: activityCases,
  listUserSessions: listingCases,
  deleteExpiredSessions: sweepCases,
  deleteAllSessions: deleteAllCases,
  deleteSessionsByMetadata: metadataCases,
  checkSchema: schemaCases,
  updateSession: updateCases,
  deleteUser: userDeletionCases,
}
const allCapabilities = Object.keys(capabilityCases) as StoreCapability[]

/** Says in the runner's report that a case was not run. tap, node:test and vitest all have this method. */
function skip(context: unknown, reason: string): void {
  const { skip } = (context ?? {}) as { skip?: unknown }
  if (typeof skip === 'function') skip.call(context, reason)
}

/** Neither there nor half there: a property that is no function would be called all the same. */
function assertLacks(store: SessionStore, capability: StoreCapability): void {
  const found = typeof (store as Partial<Capabilities>)[capability]
  assert.equal(
    found,
    'undefined',
    `${capability} of the store is of type ${found}; expected a method or nothing`,
  )
}

/**
 * Registers one case for each rule of a session store with `test`, each on a store of its own. A store that passes
 * works with the plugin.
 *
 *     sessionStoreContract({ test, createStore: () => new MyStore() })
 */
export function sessionStoreContract({ test, createStore, capabilities }: StoreContractOptions): void {
  const coreCases: ContractCases = {
    async 'capabilities: every optional method is there or absent, as declared'(store) {
      for (const capability of allCapabilities) {
        if (!hasCapability(store, capability)) assertLacks(store, capability)
      }
      const there = allCapabilities.filter((capability) => hasCapability(store, capability))
      assert.deepEqual(there.toSorted(), (capabilities ?? there).toSorted())
    },
    ...sessionCases,
    ...extensionCases,
    ...deletionCases,
    ...userCases,
    ...concurrencyCases,
  }
  for (const [name, run] of Object.entries(coreCases)) test(name, async () => run(await createStore()))

  for (const capability of capabilities ?? allCapabilities) {
    for (const [name, run] of Object.entries(capabilityCases[capability] ?? {})) {
      // A rest parameter, because some runners take a function with a parameter to want a callback.
      test(name, async (...[context]) => {
        const store = await createStore()
        // The cases of a capability call no optional method but its own, unless they have asked for it.
        if (hasCapability(store, capability)) return run(store as SessionStore & Capabilities)
        assertLacks(store, capability)
        assert.equal(capabilities, undefined, `the store has no ${capability}, which it is declared to have`)
        skip(context, `the store has no ${capability}`)
      })
    }
  }
}
