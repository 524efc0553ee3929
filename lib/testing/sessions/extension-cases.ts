import assert from 'node:assert/strict'
import type { SessionExtension } from '../../../types/store.js'
import {
  activeAt,
  assertAbsent,
  assertStored,
  type ContractCases,
  createAll,
  idleDeadlineOf,
  later,
  minute,
  newSession,
  newSessions,
  settle,
} from '../fixtures.js'

export const extensionCases: ContractCases = {
  async 'extendSession: moves last activity and the idle deadline forward, and nothing else'(store) {
    const [session, other] = [newSession({ metadata: { device: 'phone' } }), newSession()]
    await createAll(store, [session, other])
    const moved = activeAt(session, later(session.lastActivityAt, 12_345))
    assert.equal(await store.extendSession(session.id, moved), true)
    await assertStored(store, [moved, other])
  },

  async 'extendSession: moves each of the two times forward only, whatever the other does'(store) {
    const session = newSession()
    await store.createSession(session)
    const [activity, deadline] = [session.lastActivityAt, idleDeadlineOf(session)]
    await store.extendSession(session.id, {
      lastActivityAt: later(activity, -1),
      idleDeadline: later(deadline, -1),
    })
    await assertStored(store, [session])
    await store.extendSession(session.id, {
      lastActivityAt: later(activity, -1),
      idleDeadline: later(deadline, 1),
    })
    await assertStored(store, [{ ...session, idleDeadline: later(deadline, 1) }])
    await store.extendSession(session.id, { lastActivityAt: later(activity, 1), idleDeadline: deadline })
    await assertStored(store, [
      { ...session, lastActivityAt: later(activity, 1), idleDeadline: later(deadline, 1) },
    ])
  },

  async 'extendSession: true if the session exists, moved or not'(store) {
    const session = newSession()
    await store.createSession(session)
    const moved = activeAt(session, later(session.lastActivityAt, 1))
    assert.equal(await store.extendSession(session.id, moved), true, 'moved')
    assert.equal(await store.extendSession(session.id, moved), true, 'the same again')
    assert.equal(await store.extendSession(session.id, session), true, 'an earlier one')
  },

  async 'extendSession: false if the session is absent, and creates nothing'(store) {
    const session = newSession()
    assert.equal(await store.extendSession(session.id, session), false)
    await assertAbsent(store, [session])
    assert.equal(await store.deleteUserSessions('user'), 0)
  },

  async 'extendSession: late after a deletion, false and brings nothing back'(store) {
    const session = newSession()
    await store.createSession(session)
    await store.deleteSession(session.id)
    const moved = activeAt(session, later(session.lastActivityAt, minute))
    assert.equal(await store.extendSession(session.id, moved), false)
    await assertAbsent(store, [session])
  },

  async 'extendSession: at once with a deletion, brings nothing back'(store) {
    const sessions = newSessions(40)
    await createAll(store, sessions)
    await settle(
      sessions.flatMap((session) => {
        const moved = activeAt(session, later(session.lastActivityAt, minute))
        return [
          store.extendSession(session.id, moved),
          store.deleteSession(session.id),
          store.extendSession(session.id, moved),
        ]
      }),
    )
    await assertAbsent(store, sessions)
  },

  async 'extendSession: of many at once the latest time stands'(store) {
    const session = newSession()
    await store.createSession(session)
    const steps = [7, 3, 20, 1, 13, 19, 2].map((ms) => activeAt(session, later(session.lastActivityAt, ms)))
    await settle(steps.map((step) => store.extendSession(session.id, step)))
    await assertStored(store, [activeAt(session, later(session.lastActivityAt, 20))])
  },

  async 'extendSession: without an idle limit moves last activity alone'(store) {
    const session = newSession({ idleTimeout: null })
    await store.createSession(session)
    const moved = { ...session, lastActivityAt: later(session.lastActivityAt, minute) }
    assert.equal(await store.extendSession(session.id, moved), true)
    await assertStored(store, [moved])
  },

  async 'extendSession: neither gives an idle limit nor takes one'(store) {
    const [limited, unlimited] = [newSession(), newSession({ idleTimeout: null })]
    await createAll(store, [limited, unlimited])
    const at = later(limited.lastActivityAt, minute)
    await store.extendSession(limited.id, { lastActivityAt: at, idleDeadline: null })
    await store.extendSession(unlimited.id, { lastActivityAt: at, idleDeadline: later(at, minute) })
    await assertStored(store, [
      { ...limited, lastActivityAt: at },
      { ...unlimited, lastActivityAt: at },
    ])
  },

  async 'extendSession: a later change to its dates changes nothing that is stored'(store) {
    const session = newSession()
    await store.createSession(session)
    const moved = activeAt(session, later(session.lastActivityAt, minute))
    const to: SessionExtension = {
      lastActivityAt: new Date(moved.lastActivityAt),
      idleDeadline: new Date(idleDeadlineOf(moved)),
    }
    await store.extendSession(session.id, to)
    to.lastActivityAt.setTime(1)
    to.idleDeadline?.setTime(1)
    await assertStored(store, [moved])
  },
}
