import assert from 'node:assert/strict'
import type { AllSessionsDeleter, ExpiredSessionSweeper } from '../../../types/store.js'
import { hasCapability } from '../../core/capabilities.js'
import {
  activeAt,
  assertAbsent,
  assertSessions,
  assertStored,
  type ContractCases,
  createAll,
  hour,
  idleDeadlineOf,
  later,
  minute,
  newSession,
  newSessions,
} from '../fixtures.js'

export const sweepCases: ContractCases<ExpiredSessionSweeper> = {
  async 'deleteExpiredSessions: deletes what is past its idle or absolute deadline, and nothing else'(store) {
    const expired = [
      newSession({ age: 2 * hour }),
      newSession({ age: 2 * hour, idleTimeout: null, absoluteTimeout: hour }),
      newSession({ age: 2 * hour, idleTimeout: hour, absoluteTimeout: hour }),
    ]
    const live = [
      newSession(),
      newSession({ idleTimeout: null }),
      newSession({ age: 2 * hour, idleTimeout: 4 * hour }),
      newSession({ age: 2 * hour, idleTimeout: null }),
    ]
    await createAll(store, [...expired, ...live])
    assert.equal(await store.deleteExpiredSessions(new Date(), 100), expired.length)
    await assertAbsent(store, expired)
    await assertStored(store, live)
    if (hasCapability(store, 'listUserSessions')) assertSessions(await store.listUserSessions('user'), live)
    assert.equal(await store.deleteUserSessions('user'), live.length)
  },

  async 'deleteExpiredSessions: spares a session whose deadline is exactly the given time'(store) {
    const idle = newSession()
    await store.createSession(idle)
    assert.equal(await store.deleteExpiredSessions(idleDeadlineOf(idle), 100), 0)
    await assertStored(store, [idle])
    assert.equal(await store.deleteExpiredSessions(later(idleDeadlineOf(idle), 1), 100), 1)
    await assertAbsent(store, [idle])
    const endless = newSession({ idleTimeout: null })
    await store.createSession(endless)
    assert.equal(await store.deleteExpiredSessions(endless.absoluteDeadline, 100), 0)
    await assertStored(store, [endless])
    assert.equal(await store.deleteExpiredSessions(later(endless.absoluteDeadline, 1), 100), 1)
    await assertAbsent(store, [endless])
  },

  async 'deleteExpiredSessions: deletes up to the limit; fewer means that it is done'(store) {
    const [expired, live] = [newSessions(25, { age: 2 * hour }), newSessions(5)]
    await createAll(store, [...expired, ...live])
    const counts: number[] = []
    do counts.push(await store.deleteExpiredSessions(new Date(), 10))
    while (counts.at(-1) === 10 && counts.length < 10)
    assert.deepEqual(counts, [10, 10, 5])
    await assertAbsent(store, expired)
    await assertStored(store, live)
  },

  async 'deleteExpiredSessions: goes by the deadline that an extension moved'(store) {
    const [extended, idle] = [newSession(), newSession()]
    await createAll(store, [extended, idle])
    const moved = activeAt(extended, later(extended.lastActivityAt, hour))
    await store.extendSession(moved.id, moved)
    assert.equal(await store.deleteExpiredSessions(later(idleDeadlineOf(idle), minute), 100), 1)
    await assertStored(store, [moved])
    await assertAbsent(store, [idle])
  },

  async 'deleteExpiredSessions: 0 if nothing has expired'(store) {
    assert.equal(await store.deleteExpiredSessions(new Date(), 100), 0)
    const sessions = newSessions(3)
    await createAll(store, sessions)
    assert.equal(await store.deleteExpiredSessions(new Date(), 100), 0)
    await assertStored(store, sessions)
  },
}

export const deleteAllCases: ContractCases<AllSessionsDeleter> = {
  async 'deleteAllSessions: deletes every session of everybody and resolves how many'(store) {
    const sessions = [
      ...newSessions(5),
      ...newSessions(4, { userId: 'other' }),
      newSession({ idleTimeout: null }),
    ]
    await createAll(store, sessions)
    assert.equal(await store.deleteAllSessions(), 10)
    await assertAbsent(store, sessions)
    if (hasCapability(store, 'listUserSessions')) {
      for (const userId of ['user', 'other']) assertSessions(await store.listUserSessions(userId), [])
    }
    assert.equal(await store.deleteUserSessions('user'), 0)
  },

  async 'deleteAllSessions: 0 if there is no session'(store) {
    assert.equal(await store.deleteAllSessions(), 0)
    await store.createSession(newSession())
    await store.deleteAllSessions()
    assert.equal(await store.deleteAllSessions(), 0)
  },

  async 'deleteAllSessions: leaves the users, who can sign in again'(store) {
    const userId = await store.upsertUser('oidc|1')
    const session = newSession({ userId })
    await store.createSession(session)
    await store.deleteAllSessions()
    assert.equal(await store.upsertUser('oidc|1'), userId)
    await store.createSession(session)
    await assertStored(store, [session])
    if (hasCapability(store, 'listUserSessions')) {
      assertSessions(await store.listUserSessions(userId), [session])
    }
    assert.equal(await store.deleteUserSessions(userId), 1)
  },
}
