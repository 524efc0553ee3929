import assert from 'node:assert/strict'
import type { SessionChanges, SessionRecord, SessionUpdater } from '../../../types/store.js'
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
  newSecretHash,
  newSession,
  settle,
} from '../fixtures.js'

/** The session as it is after the changes, none of which moves a time back. */
function changed(session: SessionRecord, changes: SessionChanges): SessionRecord {
  return { ...session, ...changes, version: session.version + 1 } as SessionRecord
}

/** What a re-authentication changes. */
function reauthentication(session: SessionRecord, ms: number): SessionChanges {
  return {
    secretHash: newSecretHash(),
    authenticatedAt: later(session.authenticatedAt, ms),
    absoluteDeadline: later(session.absoluteDeadline, ms),
    ...(session.idleDeadline !== null && { idleDeadline: later(session.idleDeadline, ms) }),
    details: JSON.stringify({ text: `it's "quoted" \\ {0} 👍 ${ms}` }),
  }
}

export const updateCases: ContractCases<SessionUpdater> = {
  async 'updateSession: changes what it names, counts the version up, and leaves the rest and others alone'(
    store,
  ) {
    const session = newSession({ metadata: { device: 'phone' }, details: 'old', persistent: false })
    const other = newSession({ metadata: { device: 'phone' } })
    await createAll(store, [session, other])
    let expected: SessionRecord = session
    const steps: readonly SessionChanges[] = [
      { secretHash: newSecretHash() },
      { authenticatedAt: later(session.authenticatedAt, 3_333) },
      { metadata: { device: 'laptop', 'quoted "key"': '' } },
      { metadata: null },
      { metadata: {} },
      { deviceBound: true },
      { details: 'new' },
      { details: null },
      { deviceBound: false, details: '', metadata: { device: 'phone' } },
      reauthentication(session, minute),
      {},
    ]
    for (const changes of steps) {
      assert.equal(await store.updateSession(session.id, expected.version, changes), 'updated')
      expected = changed(expected, changes)
      await assertStored(store, [expected, other])
    }
  },

  async 'updateSession: undefined changes nothing'(store) {
    const session = newSession({ metadata: { device: 'phone' }, details: 'old', deviceBound: true })
    await store.createSession(session)
    const changes: SessionChanges = {
      secretHash: undefined,
      authenticatedAt: undefined,
      absoluteDeadline: undefined,
      idleDeadline: undefined,
      metadata: undefined,
      deviceBound: undefined,
      details: undefined,
    }
    assert.equal(await store.updateSession(session.id, 1, changes), 'updated')
    await assertStored(store, [{ ...session, version: 2 }])
  },

  async 'updateSession: conflict with any version but its own, and then nothing changes'(store) {
    const session = newSession()
    await store.createSession(session)
    for (const version of [0, 2, -1, 1_000_000]) {
      assert.equal(await store.updateSession(session.id, version, { details: 'x' }), 'conflict', `${version}`)
    }
    await assertStored(store, [session])
    assert.equal(await store.updateSession(session.id, 1, {}), 'updated')
    assert.equal(await store.updateSession(session.id, 1, { details: 'x' }), 'conflict', 'an old version')
    await assertStored(store, [{ ...session, version: 2 }])
  },

  async 'updateSession: of ten at once with one version exactly one is told updated, and its change stands'(
    store,
  ) {
    const session = newSession()
    await store.createSession(session)
    const hashes = Array.from({ length: 10 }, newSecretHash)
    const results = await settle(
      hashes.map((secretHash) => store.updateSession(session.id, 1, { secretHash })),
    )
    const winners = hashes.filter((_, i) => results[i] === 'updated')
    assert.equal(winners.length, 1, results.join())
    assert.equal(results.filter((result) => result === 'conflict').length, 9, results.join())
    await assertStored(store, [{ ...session, version: 2, secretHash: winners[0] as string }])
  },

  async 'updateSession: absent if there is no such session, and creates nothing'(store) {
    const [absent, deleted] = [newSession(), newSession()]
    await store.createSession(deleted)
    await store.deleteSession(deleted.id)
    for (const session of [absent, deleted]) {
      assert.equal(await store.updateSession(session.id, 1, reauthentication(session, minute)), 'absent')
    }
    await assertAbsent(store, [absent, deleted])
    assert.equal(await store.deleteUserSessions('user'), 0)
  },

  async 'updateSession: the absolute deadline moves forward only'(store) {
    const session = newSession()
    await store.createSession(session)
    const back = { absoluteDeadline: later(session.absoluteDeadline, -hour) }
    assert.equal(await store.updateSession(session.id, 1, back), 'updated')
    await assertStored(store, [{ ...session, version: 2 }])
  },

  async 'updateSession: the idle deadline becomes the later one, and never lies past the absolute one'(
    store,
  ) {
    const session = newSession()
    const capped = newSession({ idleTimeout: 24 * hour, absoluteTimeout: hour })
    await createAll(store, [session, capped])
    const idle = idleDeadlineOf(session)
    await store.updateSession(session.id, 1, { idleDeadline: later(idle, -1) })
    await store.updateSession(session.id, 2, { idleDeadline: later(idle, 1) })
    await store.updateSession(session.id, 3, { idleDeadline: later(session.absoluteDeadline, 1) })
    const { absoluteDeadline } = session
    await assertStored(store, [{ ...session, version: 4, idleDeadline: absoluteDeadline }, capped])
    const absolute = later(capped.absoluteDeadline, minute)
    await store.updateSession(capped.id, 1, { absoluteDeadline: absolute, idleDeadline: later(absolute, 1) })
    await assertStored(store, [{ ...capped, version: 2, absoluteDeadline: absolute, idleDeadline: absolute }])
  },

  async 'updateSession: gives no idle deadline to a session without one'(store) {
    const session = newSession({ idleTimeout: null })
    await store.createSession(session)
    await store.updateSession(session.id, 1, { idleDeadline: later(session.lastActivityAt, hour) })
    await assertStored(store, [{ ...session, version: 2 }])
  },

  async 'updateSession: activity leaves the version alone, and is neither lost nor moved back'(store) {
    const session = newSession()
    await store.createSession(session)
    const moved = activeAt(session, later(session.lastActivityAt, minute))
    await store.extendSession(session.id, moved)
    assert.equal(await store.updateSession(session.id, 1, { details: 'x' }), 'updated')
    const expected = { ...moved, version: 2, details: 'x' }
    await assertStored(store, [expected])
    const again = activeAt(expected, later(moved.lastActivityAt, minute))
    await store.extendSession(session.id, again)
    await assertStored(store, [again])
  },

  async 'updateSession: beside activity at the same time both take effect'(store) {
    const sessions = Array.from({ length: 20 }, () => newSession())
    await createAll(store, sessions)
    const at = (session: SessionRecord): Date => later(session.lastActivityAt, minute)
    const updates = sessions.map((session) => store.updateSession(session.id, 1, { details: session.id }))
    const activity = hasCapability(store, 'batchRecordActivity')
      ? [store.batchRecordActivity(new Map(sessions.map((session) => [session.id, at(session)])))]
      : sessions.map((session) => store.extendSession(session.id, activeAt(session, at(session))))
    await settle<unknown>([...activity, ...updates])
    assert.deepEqual(new Set(await settle(updates)), new Set(['updated']))
    await assertStored(
      store,
      sessions.map((session) => ({ ...activeAt(session, at(session)), version: 2, details: session.id })),
    )
  },

  async 'updateSession: beside a deletion at the same time the session stays deleted'(store) {
    const sessions = Array.from({ length: 30 }, () => newSession({ metadata: { oidc_sid: 'sid-1' } }))
    await createAll(store, sessions)
    const updates = sessions.map((session) =>
      store.updateSession(session.id, 1, reauthentication(session, hour)),
    )
    const deletion = store.deleteUserSessions('user')
    const late = sessions.map((session) =>
      store.updateSession(session.id, 2, reauthentication(session, hour)),
    )
    await settle<unknown>([...updates, deletion, ...late])
    await assertAbsent(store, sessions)
    if (hasCapability(store, 'listUserSessions')) assertSessions(await store.listUserSessions('user'), [])
  },

  async 'updateSession: what binds the session to a device stays through activity and re-authentication'(
    store,
  ) {
    const session = newSession()
    await store.createSession(session)
    const key = { deviceBound: true, details: '{"device":["ES256","x","y",1]}' }
    assert.equal(await store.updateSession(session.id, 1, key), 'updated')
    const moved = activeAt({ ...session, ...key }, later(session.lastActivityAt, minute))
    await store.extendSession(session.id, moved)
    const secretHash = newSecretHash()
    assert.equal(await store.updateSession(session.id, 2, { secretHash }), 'updated')
    await assertStored(store, [{ ...moved, version: 3, secretHash }])
  },

  async 'updateSession: past its old deadline the session is still listed, and deleted with its user'(store) {
    const brief = newSession({ age: 0, idleTimeout: null, absoluteTimeout: minute })
    const spare = newSession({ age: 0, idleTimeout: null, absoluteTimeout: 2 * minute })
    await createAll(store, [brief, spare])
    const moved = changed(brief, { absoluteDeadline: later(brief.absoluteDeadline, 90 * 24 * hour) })
    assert.equal(
      await store.updateSession(brief.id, 1, { absoluteDeadline: moved.absoluteDeadline }),
      'updated',
    )
    if (hasCapability(store, 'deleteExpiredSessions')) {
      await store.deleteExpiredSessions(later(spare.absoluteDeadline, hour), 1_000)
      await assertStored(store, [moved])
    }
    // A store that forgets by the clock of its server does so when the user's next session begins.
    const next = newSession({ age: 0 })
    await store.createSession(next)
    if (hasCapability(store, 'listUserSessions')) {
      const listed = await store.listUserSessions('user')
      assertSessions(
        listed.filter(({ id }) => id === moved.id),
        [moved],
      )
    }
    await store.deleteUserSessions('user')
    await assertAbsent(store, [moved, next])
  },

  async 'updateSession: new metadata finds the session, and what is gone from it does not'(store) {
    if (!hasCapability(store, 'deleteSessionsByMetadata')) return
    const ada = { oidc_sub: 'ada', oidc_sid: 'sid-1' }
    const session = newSession({ metadata: ada })
    await store.createSession(session)
    const bob = { oidc_sub: 'bob', oidc_sid: 'sid-2' }
    await store.updateSession(session.id, 1, { metadata: bob })
    for (const [key, value] of Object.entries(ada)) {
      assert.deepEqual(await store.deleteSessionsByMetadata({ [key]: value }), [], key)
    }
    await store.updateSession(session.id, 2, { metadata: ada })
    await store.updateSession(session.id, 3, { metadata: bob })
    assert.deepEqual(await store.deleteSessionsByMetadata({ oidc_sid: 'sid-2' }), [session.id])
    await assertAbsent(store, [session])
  },

  async 'updateSession: past its old deadline its metadata still finds the session'(store) {
    if (!hasCapability(store, 'deleteSessionsByMetadata')) return
    const brief = newSession({
      age: 0,
      idleTimeout: null,
      absoluteTimeout: minute,
      metadata: { oidc_sub: 'ada' },
    })
    await store.createSession(brief)
    const absoluteDeadline = later(brief.absoluteDeadline, 90 * 24 * hour)
    await store.updateSession(brief.id, 1, { absoluteDeadline })
    assert.deepEqual(await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }), [brief.id])
  },
}
