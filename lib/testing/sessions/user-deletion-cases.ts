import assert from 'node:assert/strict'
import type { UserDeleter } from '../../../types/store.js'
import { assertStored, type ContractCases, newSession } from '../fixtures.js'

export const userDeletionCases: ContractCases<UserDeleter> = {
  async 'deleteUser: forgets the user, and is false if there is nothing to forget'(store) {
    const userId = await store.upsertUser('mail:ada@example.com')
    const known = await store.deleteUser(userId)
    assert.equal(typeof known, 'boolean')
    assert.equal(await store.deleteUser(userId), false, 'the second time')
    assert.equal(await store.deleteUser('nobody'), false)
    assert.equal(await store.upsertUser('mail:ada@example.com'), userId, 'who comes back has the same id')
  },

  async 'deleteUser: leaves other users and every session alone'(store) {
    const ada = await store.upsertUser('ada')
    const grace = await store.upsertUser('grace')
    const session = newSession({ userId: grace })
    await store.createSession(session)
    await store.deleteUser(ada)
    await assertStored(store, [session])
    assert.equal(await store.upsertUser('grace'), grace)
  },
}
