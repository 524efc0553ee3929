import assert from 'node:assert/strict'
import type { SessionLister } from '../../../types/store.js'
import { hasCapability } from '../../core/capabilities.js'
import {
  activeAt,
  assertSession,
  assertSessions,
  type ContractCases,
  createAll,
  hour,
  later,
  minute,
  newSession,
  newSessions,
  settle,
  tamperWith,
} from '../fixtures.js'

export const listingCases: ContractCases<SessionLister> = {
  async 'listUserSessions: every session of the user, with every field'(store) {
    const sessions = [
      ...newSessions(5, { metadata: { device: 'phone' } }),
      newSession({ idleTimeout: null }),
      newSession({ absoluteTimeout: 48 * hour }),
    ]
    await createAll(store, sessions)
    assertSessions(await store.listUserSessions('user'), sessions)
  },

  async 'listUserSessions: a session is listed as soon as it is created'(store) {
    await settle(
      newSessions(30).map(async (session) => {
        await store.createSession(session)
        const listed = (await store.listUserSessions('user')).find(({ id }) => id === session.id)
        assertSession(listed ?? null, session)
      }),
    )
  },

  async 'listUserSessions: shows a session as it was last extended or active'(store) {
    const [extended, active] = [newSession(), newSession()]
    await createAll(store, [extended, active])
    const moved = activeAt(extended, later(extended.lastActivityAt, minute))
    await store.extendSession(moved.id, moved)
    assertSessions(await store.listUserSessions('user'), [moved, active])
    if (!hasCapability(store, 'batchRecordActivity')) return
    const recorded = activeAt(active, later(active.lastActivityAt, minute))
    await store.batchRecordActivity(new Map([[recorded.id, recorded.lastActivityAt]]))
    assertSessions(await store.listUserSessions('user'), [moved, recorded])
  },

  async 'listUserSessions: no session that was deleted'(store) {
    const [first, second, ...rest] = [newSession(), newSession(), ...newSessions(3)]
    await createAll(store, [first, second, ...rest])
    await store.deleteSession(first.id)
    assertSessions(await store.listUserSessions('user'), [second, ...rest])
    await store.deleteUserSessions('user', { except: second.id })
    assertSessions(await store.listUserSessions('user'), [second])
    await store.deleteSession(second.id)
    assertSessions(await store.listUserSessions('user'), [])
  },

  async 'listUserSessions: nothing that an extension or a batch came too late for'(store) {
    const session = newSession()
    await store.createSession(session)
    await store.deleteSession(session.id)
    const moved = activeAt(session, later(session.lastActivityAt, minute))
    await store.extendSession(moved.id, moved)
    if (hasCapability(store, 'batchRecordActivity')) {
      await store.batchRecordActivity(new Map([[moved.id, moved.lastActivityAt]]))
    }
    assertSessions(await store.listUserSessions('user'), [])
  },

  async "listUserSessions: nobody else's session"(store) {
    const [sessions, strangers] = [newSessions(2), newSessions(3, { userId: 'stranger' })]
    await createAll(store, [...sessions, ...strangers])
    assertSessions(await store.listUserSessions('user'), sessions)
    const refused = newSession({ userId: 'thief', age: 0 })
    for (const { id } of sessions) await assert.rejects(async () => store.createSession({ ...refused, id }))
    assertSessions(await store.listUserSessions('thief'), [])
  },

  async 'listUserSessions: an empty array for a user without sessions'(store) {
    await store.createSession(newSession())
    assert.deepEqual(await store.listUserSessions('nobody'), [])
  },

  async 'listUserSessions: a change to what it hands out changes nothing that is stored'(store) {
    const sessions = newSessions(2, { metadata: { device: 'phone' } })
    await createAll(store, sessions)
    for (const session of await store.listUserSessions('user')) tamperWith(session)
    assertSessions(await store.listUserSessions('user'), sessions)
  },
}
