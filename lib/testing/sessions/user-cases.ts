import assert from 'node:assert/strict'
import type { SessionStore } from '../../../types/store.js'
import { hasCapability } from '../../core/capabilities.js'
import {
  assertAbsent,
  assertSessions,
  assertStored,
  type ContractCases,
  createAll,
  newSessions,
  settle,
} from '../fixtures.js'
import { alikeIds } from './alike-ids.js'

async function keepApart(store: SessionStore, userIds: readonly string[]): Promise<void> {
  const users = userIds.map((userId) => ({ userId, sessions: newSessions(2, { userId }) }))
  const all = users.flatMap(({ sessions }) => sessions)
  await createAll(store, all)
  await assertStored(store, all)
  if (hasCapability(store, 'listUserSessions')) {
    for (const { userId, sessions } of users) assertSessions(await store.listUserSessions(userId), sessions)
  }
  for (const [i, { userId, sessions }] of users.entries()) {
    assert.equal(await store.deleteUserSessions(userId), 2, `deleteUserSessions(${JSON.stringify(userId)})`)
    await assertAbsent(store, sessions)
    await assertStored(
      store,
      users.slice(i + 1).flatMap((user) => user.sessions),
    )
  }
}

export const userCases: ContractCases = {
  async 'upsertUser: the same user for the same provider id, every time'(store) {
    const userId = await store.upsertUser('oidc|1')
    assert.equal(typeof userId, 'string')
    assert.notEqual(userId, '')
    await store.upsertUser('oidc|2')
    assert.equal(await store.upsertUser('oidc|1'), userId)
  },

  async 'upsertUser: many at once agree on one user'(store) {
    const userIds = await settle(Array.from({ length: 20 }, () => store.upsertUser('oidc|1')))
    assert.equal(new Set(userIds).size, 1)
    assert.equal(await store.upsertUser('oidc|1'), userIds[0])
  },

  async 'upsertUser: different provider ids are different users, however alike'(store) {
    const providerIds = [...new Set(Object.values(alikeIds).flat())]
    const userIds = await settle(providerIds.map((id) => store.upsertUser(id)))
    const seen = new Map<string, string>()
    for (const [i, userId] of userIds.entries()) {
      const providerId = JSON.stringify(providerIds[i])
      assert.equal(seen.get(userId), undefined, `${providerId} has the user of ${seen.get(userId)}`)
      seen.set(userId, providerId)
    }
    assert.deepEqual(await settle(providerIds.map((id) => store.upsertUser(id))), userIds)
  },

  ...Object.fromEntries(
    Object.entries(alikeIds).map(([kind, userIds]) => [
      `user ids: kept exactly and apart, ${kind}`,
      (store: SessionStore) => keepApart(store, userIds),
    ]),
  ),
}
