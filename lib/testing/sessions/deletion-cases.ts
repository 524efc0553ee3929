import assert from 'node:assert/strict'
import type { SessionRecord } from '../../../types/store.js'
import { hasCapability } from '../../core/capabilities.js'
import {
  assertAbsent,
  assertSessions,
  assertStored,
  type ContractCases,
  createAll,
  newSession,
  newSessionId,
  newSessions,
  present,
  settle,
} from '../fixtures.js'

export const deletionCases: ContractCases = {
  async 'deleteSession: true if there was a session, which is gone then'(store) {
    const session = newSession()
    await store.createSession(session)
    assert.equal(await store.deleteSession(session.id), true)
    await assertAbsent(store, [session])
  },

  async 'deleteSession: false if there was none, also the second time'(store) {
    const session = newSession()
    assert.equal(await store.deleteSession(newSessionId()), false)
    await store.createSession(session)
    await store.deleteSession(session.id)
    assert.equal(await store.deleteSession(session.id), false)
  },

  async 'deleteSession: touches no other session'(store) {
    const [session, sibling, stranger] = [newSession(), newSession(), newSession({ userId: 'stranger' })]
    await createAll(store, [session, sibling, stranger])
    await store.deleteSession(session.id)
    await assertStored(store, [sibling, stranger])
  },

  async 'deleteUserSessions: deletes every session of the user and resolves how many'(store) {
    const sessions = [...newSessions(6), newSession({ idleTimeout: null })]
    await createAll(store, sessions)
    assert.equal(await store.deleteUserSessions('user'), 7)
    await assertAbsent(store, sessions)
    assert.equal(await store.deleteUserSessions('user', {}), 0)
  },

  async 'deleteUserSessions: keeps the session that is excepted'(store) {
    const [kept, ...sessions] = [newSession(), ...newSessions(3)]
    await createAll(store, [kept, ...sessions])
    assert.equal(await store.deleteUserSessions('user', { except: kept.id }), 3)
    await assertAbsent(store, sessions)
    await assertStored(store, [kept])
    assert.equal(await store.deleteUserSessions('user', { except: kept.id }), 0)
    assert.equal(await store.deleteUserSessions('user', { except: undefined }), 1)
    await assertAbsent(store, [kept])
  },

  async "deleteUserSessions: another user's session, or none, as the exception keeps nothing"(store) {
    const [sessions, stranger] = [newSessions(3), newSession({ userId: 'stranger' })]
    await createAll(store, [...sessions, stranger])
    assert.equal(await store.deleteUserSessions('user', { except: stranger.id }), 3)
    await assertAbsent(store, sessions)
    await assertStored(store, [stranger])
    assert.equal(await store.deleteUserSessions('stranger', { except: newSessionId() }), 1)
    await assertAbsent(store, [stranger])
  },

  async 'deleteUserSessions: touches no other user'(store) {
    const [sessions, strangers] = [newSessions(2), newSessions(3, { userId: 'stranger' })]
    await createAll(store, [...sessions, ...strangers])
    await store.deleteUserSessions('user')
    await assertStored(store, strangers)
  },

  async 'deleteUserSessions: 0 for a user without sessions'(store) {
    assert.equal(await store.deleteUserSessions('nobody'), 0)
    const session = newSession()
    await store.createSession(session)
    assert.equal(await store.deleteUserSessions('nobody'), 0)
    await store.deleteSession(session.id)
    assert.equal(await store.deleteUserSessions('user'), 0)
  },

  async 'deleteUserSessions: leaves nothing behind that was created before it began'(store) {
    const sessions = newSessions(100)
    const acknowledged: SessionRecord[] = []
    const create = async (session: SessionRecord): Promise<void> => {
      await store.createSession(session)
      acknowledged.push(session)
    }
    await settle(sessions.slice(0, 30).map(create))
    const creations = sessions.slice(30).map(create)
    const deleteMeanwhile = async (): Promise<{ before: SessionRecord[]; deleted: number }> => {
      await Promise.race(creations)
      return { before: [...acknowledged], deleted: await store.deleteUserSessions('user') }
    }
    const deletion = deleteMeanwhile()
    await settle<unknown>([deletion, ...creations])
    const { before, deleted } = await deletion
    await assertAbsent(store, before)
    const left = await present(store, sessions)
    assert.equal(deleted, sessions.length - left.length)
    if (hasCapability(store, 'listUserSessions')) assertSessions(await store.listUserSessions('user'), left)
    assert.equal(await store.deleteUserSessions('user'), left.length)
    await assertAbsent(store, sessions)
  },
}
