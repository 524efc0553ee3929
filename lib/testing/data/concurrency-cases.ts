import assert from 'node:assert/strict'
import type { SessionDataStore } from '../../../types/data.js'
import type { SessionId } from '../../../types/session.js'
import { type ContractCases, newSession, settle } from '../fixtures.js'
import { assertData, limits, withSession } from './cases.js'

/** Adds one to a counter, again until nobody came in between. */
async function increment(store: SessionDataStore, id: SessionId): Promise<void> {
  for (;;) {
    const found = (await store.readData(id, ['count']))?.get('count') ?? null
    const outcome = await store.swapData(id, 'count', found, String(Number(found) + 1), limits)
    if (outcome === 'swapped') return
    assert.equal(outcome, 'conflict')
  }
}

export const dataConcurrencyCases: ContractCases<SessionDataStore> = {
  async 'writeData: many at once that set different keys all stay'(store) {
    const id = await withSession(store)
    const names = Array.from({ length: 40 }, (_, i) => `key ${i}`)
    const results = await settle(names.map((name) => store.writeData(id, new Map([[name, name]]), limits)))
    assert.deepEqual(new Set(results), new Set(['written']))
    await assertData(store, id, Object.fromEntries(names.map((name) => [name, name])))
  },

  async 'writeData: many at once never make more keys than there may be'(store) {
    const id = await withSession(store)
    const names = Array.from({ length: 30 }, (_, i) => `key ${i}`)
    const results = await settle(
      names.map((name) => store.writeData(id, new Map([[name, '1']]), { maxKeys: 10 })),
    )
    assert.equal(results.filter((result) => result === 'written').length, 10)
    assert.equal((await store.readData(id, null))?.size, 10)
  },

  async 'swapData: 50 at once that count make 50'(store) {
    const id = await withSession(store)
    await settle(Array.from({ length: 50 }, () => increment(store, id)))
    await assertData(store, id, { count: '50' })
  },

  async 'swapData: of 20 at once that take a value one gets it'(store) {
    const id = await withSession(store)
    await store.writeData(id, new Map([['notice', '"hello"']]), limits)
    const outcomes = await settle(
      Array.from({ length: 20 }, () => store.swapData(id, 'notice', '"hello"', null, limits)),
    )
    assert.equal(outcomes.filter((outcome) => outcome === 'swapped').length, 1)
    await assertData(store, id, {})
  },

  async 'data: writes at once with a deletion leave nothing behind, and nobody waits for ever'(store) {
    for (let round = 0; round < 5; round++) {
      const sessions = Array.from({ length: 10 }, () => newSession())
      await settle(sessions.map((session) => store.createSession(session)))
      const write = ({ id }: { id: SessionId }, i: number): Promise<unknown> =>
        i % 2 === 0
          ? store.writeData(
              id,
              new Map([
                ['b', '1'],
                ['a', '2'],
              ]),
              limits,
            )
          : store.swapData(id, 'a', null, '3', limits)
      const before = sessions.map(write)
      const deletion = store.deleteUserSessions('user')
      await settle<unknown>([...before, deletion, ...sessions.map(write)])
      for (const session of sessions) {
        assert.equal(await store.readData(session.id, null), null)
        await store.createSession(session)
        await assertData(store, session.id, {})
      }
      await store.deleteUserSessions('user')
    }
  },
}
