import t from 'tap'
import { revocationLogContract } from '../../../lib/testing/index.js'
import { brokenLogs } from './broken-logs.js'
import { OpenLogStore } from './open-log-store.js'

/** The cases that the contract registers, by their names. */
function casesFor(createStore: () => OpenLogStore): Map<string, () => Promise<void>> {
  const cases = new Map<string, () => Promise<void>>()
  revocationLogContract({ test: (name, run) => cases.set(name, run), createStore })
  return cases
}

t.test('every case has a log that breaks its rule, and the list of the names is right', async (t) => {
  const names = [...casesFor(() => new OpenLogStore()).keys()]
  t.strictSame(names.toSorted(), Object.keys(brokenLogs).toSorted())
})

for (const [name, Broken] of Object.entries(brokenLogs)) {
  t.test(`a log that breaks the rule fails "${name}"`, async (t) => {
    const run = casesFor(() => new Broken()).get(name)
    await t.rejects(async () => run?.())
  })
}

t.test('a log that keeps every rule passes every case', async (t) => {
  for (const [name, run] of casesFor(() => new OpenLogStore())) await t.resolves(run(), name)
})

t.test('so does one of a store without capabilities, and one whose entries come twice', async (t) => {
  class Bare extends OpenLogStore {
    constructor() {
      super()
      const none = undefined
      const all = { deleteAllSessions: none, deleteSessionsByMetadata: none, deleteExpiredSessions: none }
      Object.assign(this, { ...all, batchRecordActivity: none, updateSession: none, listUserSessions: none })
    }
  }
  class Repeating extends OpenLogStore {
    override async readRevocations(cursor: string | null): ReturnType<OpenLogStore['readRevocations']> {
      const { entries, ...next } = await super.readRevocations(cursor)
      return { ...next, entries: entries?.flatMap((entry) => [entry, entry]) ?? null }
    }
  }
  for (const Store of [Bare, Repeating]) {
    for (const [name, run] of casesFor(() => new Store())) await t.resolves(run(), name)
  }
})

t.test('a case takes no parameter, which some runners would take for a callback', async (t) => {
  for (const [name, run] of casesFor(() => new OpenLogStore())) t.equal(run.length, 0, name)
})
