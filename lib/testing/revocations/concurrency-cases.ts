import assert from 'node:assert/strict'
import type { RevocationLog } from '../../../types/revocation-log.js'
import type { SessionId } from '../../../types/session.js'
import type { SessionStore } from '../../../types/store.js'
import { hasCapability } from '../../core/capabilities.js'
import { type ContractCases, createAll, newSession, newSessions, settle } from '../fixtures.js'
import { LogReader } from './cases.js'

const writers = 12
const perWriter = 25

/** Deletes the sessions of one writer after another, and notes each once that is acknowledged. */
async function deleteAll(
  store: SessionStore,
  ids: readonly SessionId[],
  acknowledged: Set<SessionId>,
): Promise<void> {
  for (const id of ids) {
    await store.deleteSession(id)
    acknowledged.add(id)
  }
}

export const revocationConcurrencyCases: ContractCases<RevocationLog> = {
  async 'readRevocations: has what was acknowledged before it, whatever 12 others write meanwhile'(store) {
    const ids = Array.from({ length: writers }, () => newSessions(perWriter))
    await createAll(store, ids.flat())
    const acknowledged = new Set<SessionId>()
    const seen = new Set<SessionId>()
    const reader = await LogReader.begin(store)
    let left = writers
    const poll = async (): Promise<void> => {
      while (left > 0) {
        const before = [...acknowledged]
        for (const id of (await reader.ends()).keys()) seen.add(id)
        for (const id of before) assert.ok(seen.has(id), `the end of ${id} was acknowledged, and is missing`)
      }
    }
    const work = ids.map((sessions) =>
      deleteAll(
        store,
        sessions.map(({ id }) => id),
        acknowledged,
      ).finally(() => left--),
    )
    await settle([...work, poll()])
    const rest = (await reader.ends()).keys()
    assert.deepEqual(new Set([...seen, ...rest]), acknowledged)
    assert.equal(acknowledged.size, writers * perWriter)
  },

  async 'readRevocations: between them, readers that poll in turns miss nothing'(store) {
    const sessions = newSessions(200)
    await createAll(store, sessions)
    const ids = sessions.map(({ id }) => id)
    const readers = await settle(Array.from({ length: 5 }, () => LogReader.begin(store)))
    const seen = readers.map(() => new Set<SessionId>())
    const polls = readers.map(async (reader, i) => {
      for (let round = 0; round < 30; round++) {
        for (const id of (await reader.ends()).keys()) seen[i]?.add(id)
      }
    })
    await settle([deleteAll(store, ids, new Set()), ...polls])
    for (const [i, reader] of readers.entries()) {
      for (const id of (await reader.ends()).keys()) seen[i]?.add(id)
      assert.deepEqual(seen[i], new Set(ids))
    }
  },

  async 'readRevocations: deletions of all the sessions of a user at once leave none out'(store) {
    const reader = await LogReader.begin(store)
    const sessions = Array.from({ length: 100 }, (_, i) => newSession({ userId: `user ${i % writers}` }))
    await createAll(store, sessions)
    await settle(Array.from({ length: writers }, (_, i) => store.deleteUserSessions(`user ${i}`)))
    assert.deepEqual(new Set((await reader.ends()).keys()), new Set(sessions.map(({ id }) => id)))
  },

  async 'readRevocations: of changes and an end at once, the end comes last'(store) {
    if (!hasCapability(store, 'updateSession')) return
    for (let round = 0; round < 20; round++) {
      const { id, ...session } = newSession()
      await store.createSession({ id, ...session })
      const reader = await LogReader.begin(store)
      const change = async (version: number): Promise<unknown> =>
        store.updateSession(id, version, { details: String(version) })
      await settle<unknown>([change(1), change(1), store.deleteSession(id), change(1)])
      assert.equal((await reader.ends()).get(id), true)
    }
  },
}
