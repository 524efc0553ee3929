import t from 'tap'
import { sessionDataStoreContract } from '../../../lib/testing/index.js'
import type { SessionId } from '../../../types/session.js'
import { brokenData } from './broken-data.js'
import { OpenDataStore } from './open-data-store.js'

/** The cases that the contract registers, by their names. */
function casesFor(createStore: () => OpenDataStore): Map<string, () => Promise<void>> {
  const cases = new Map<string, () => Promise<void>>()
  sessionDataStoreContract({ test: (name, run) => cases.set(name, run), createStore })
  return cases
}

t.test('every case has a store that breaks its rule, and the list of the names is right', async (t) => {
  const names = [...casesFor(() => new OpenDataStore()).keys()]
  t.strictSame(names.toSorted(), Object.keys(brokenData).toSorted())
})

for (const [name, Broken] of Object.entries(brokenData)) {
  t.test(`a store that breaks the rule fails "${name}"`, async (t) => {
    const run = casesFor(() => new Broken()).get(name)
    await t.rejects(async () => run?.())
  })
}

t.test('a store that keeps every rule passes every case', async (t) => {
  for (const [name, run] of casesFor(() => new OpenDataStore())) await t.resolves(run(), name)
})

t.test('so does one without capabilities, and one that forgets expired sessions by itself', async (t) => {
  class Bare extends OpenDataStore {
    constructor() {
      super()
      const none = undefined
      const all = { deleteAllSessions: none, deleteSessionsByMetadata: none, deleteExpiredSessions: none }
      Object.assign(this, { ...all, batchRecordActivity: none, updateSession: none, listUserSessions: none })
    }
  }
  class Forgetting extends Bare {
    override of(id: SessionId): Map<string, string> | null {
      const session = this.sessions.get(id)
      return session !== undefined && this.isExpired(session, new Date()) ? null : super.of(id)
    }
  }
  for (const Store of [Bare, Forgetting]) {
    for (const [name, run] of casesFor(() => new Store())) await t.resolves(run(), name)
  }
})

t.test('a case takes no parameter, which some runners would take for a callback', async (t) => {
  for (const [name, run] of casesFor(() => new OpenDataStore())) t.equal(run.length, 0, name)
})
