import assert from 'node:assert/strict'
import type { SessionId } from '../../../types/session.js'
import type { ActivityRecorder, SessionRecord } from '../../../types/store.js'
import {
  activeAt,
  assertAbsent,
  assertStored,
  type ContractCases,
  createAll,
  hour,
  later,
  minute,
  newSession,
  newSessionId,
  newSessions,
  settle,
} from '../fixtures.js'

/** The sessions, each active `ms` after its last activity. */
function activeAfter(sessions: readonly SessionRecord[], ms: number): SessionRecord[] {
  return sessions.map((session) => activeAt(session, later(session.lastActivityAt, ms)))
}

/** The batch that would move each session to where it is here. */
export function batchOf(sessions: readonly SessionRecord[]): Map<SessionId, Date> {
  return new Map(sessions.map(({ id, lastActivityAt }) => [id, new Date(lastActivityAt)]))
}

export const activityCases: ContractCases<ActivityRecorder> = {
  async 'batchRecordActivity: moves last activity and the idle deadline with it, and nothing else'(store) {
    const [first, second, other] = [
      newSession({ metadata: { a: 'b' } }),
      newSession({ idleTimeout: hour + 1 }),
      newSession(),
    ]
    await createAll(store, [first, second, other])
    const moved = [
      activeAt(first, later(first.lastActivityAt, 1)),
      activeAt(second, later(second.lastActivityAt, 12_345)),
    ]
    assert.equal(await store.batchRecordActivity(batchOf(moved)), 2)
    await assertStored(store, [...moved, other])
  },

  async 'batchRecordActivity: moves the idle deadline to the absolute deadline at most'(store) {
    const session = newSession({ idleTimeout: hour, absoluteTimeout: hour + 2 * minute })
    await store.createSession(session)
    const [moved] = activeAfter([session], 3 * minute)
    assert.ok(moved !== undefined)
    assert.deepEqual(moved.idleDeadline, session.absoluteDeadline)
    assert.equal(await store.batchRecordActivity(batchOf([moved])), 1)
    await assertStored(store, [moved])
  },

  async 'batchRecordActivity: leaves a session without an idle limit without one'(store) {
    const session = newSession({ idleTimeout: null })
    await store.createSession(session)
    const moved = activeAfter([session], minute)
    assert.equal(await store.batchRecordActivity(batchOf(moved)), 1)
    await assertStored(store, moved)
  },

  async 'batchRecordActivity: ignores unknown ids and creates nothing'(store) {
    const [session, unknown] = [newSession(), newSessions(5)]
    await store.createSession(session)
    const moved = activeAfter([session], minute)
    assert.equal(await store.batchRecordActivity(batchOf([...unknown, ...moved])), 1)
    await assertStored(store, moved)
    await assertAbsent(store, unknown)
    assert.equal(await store.batchRecordActivity(batchOf(unknown)), 0)
    assert.equal(await store.deleteUserSessions('user'), 1)
  },

  async 'batchRecordActivity: resolves how many sessions moved'(store) {
    const [moving, staying] = [newSessions(4), newSessions(3)]
    await createAll(store, [...moving, ...staying])
    const moved = activeAfter(moving, minute)
    const batch = batchOf([...moved, ...activeAfter(staying, -1), ...newSessions(2)])
    assert.equal(await store.batchRecordActivity(batch), 4)
    await assertStored(store, [...moved, ...staying])
  },

  async 'batchRecordActivity: 0 for an empty map'(store) {
    const session = newSession()
    await store.createSession(session)
    assert.equal(await store.batchRecordActivity(new Map()), 0)
    await assertStored(store, [session])
  },

  async 'batchRecordActivity: moves forward only'(store) {
    const session = newSession()
    await store.createSession(session)
    const [late, early] = [activeAfter([session], 2 * minute), activeAfter([session], minute)]
    assert.equal(await store.batchRecordActivity(batchOf(late)), 1)
    assert.equal(await store.batchRecordActivity(batchOf(early)), 0)
    await assertStored(store, late)
  },

  async 'batchRecordActivity: moves the idle deadline forward only, even if an extension moved it further'(
    store,
  ) {
    const session = newSession()
    await store.createSession(session)
    const idleDeadline = later(session.idleDeadline as Date, 5 * minute)
    await store.extendSession(session.id, { lastActivityAt: session.lastActivityAt, idleDeadline })
    const [active] = activeAfter([session], minute) as [SessionRecord]
    assert.equal(await store.batchRecordActivity(batchOf([active])), 1)
    await assertStored(store, [{ ...active, idleDeadline }])
  },

  async 'batchRecordActivity: the same time again is no move'(store) {
    const session = newSession()
    await store.createSession(session)
    assert.equal(await store.batchRecordActivity(batchOf([session])), 0)
    const moved = activeAfter([session], minute)
    assert.equal(await store.batchRecordActivity(batchOf(moved)), 1)
    assert.equal(await store.batchRecordActivity(batchOf(moved)), 0)
    await assertStored(store, moved)
  },

  async 'batchRecordActivity: late after a deletion, brings nothing back'(store) {
    const [session, ...siblings] = [newSession(), ...newSessions(3)]
    await createAll(store, [session, ...siblings])
    await store.deleteSession(session.id)
    assert.equal(await store.batchRecordActivity(batchOf(activeAfter([session, ...siblings], minute))), 3)
    await assertAbsent(store, [session])
    await store.deleteUserSessions('user')
    assert.equal(await store.batchRecordActivity(batchOf(activeAfter(siblings, 2 * minute))), 0)
    await assertAbsent(store, siblings)
  },

  async 'batchRecordActivity: takes a batch of 10,000'(store) {
    const sessions = newSessions(200)
    await createAll(store, sessions)
    const moved = activeAfter(sessions, minute)
    const batch = batchOf(moved.slice(0, 100))
    const at = new Date()
    while (batch.size < 9_900) batch.set(newSessionId(), at)
    for (const [id, date] of batchOf(moved.slice(100))) batch.set(id, date)
    assert.equal(batch.size, 10_000)
    assert.equal(await store.batchRecordActivity(batch), 200)
    await assertStored(store, moved)
  },

  async 'batchRecordActivity: leaves the map as it was, and keeps none of its dates'(store) {
    const sessions = newSessions(3)
    await createAll(store, sessions)
    const moved = activeAfter(sessions, minute)
    const batch = batchOf([...moved, newSession()])
    const before = structuredClone([...batch])
    await store.batchRecordActivity(batch)
    assert.deepEqual([...batch], before)
    for (const date of batch.values()) date.setTime(1)
    await assertStored(store, moved)
  },

  async 'batchRecordActivity: with extendSession in any order the latest time stands'(store) {
    const [batchFirst, extensionFirst] = [newSession(), newSession()]
    await createAll(store, [batchFirst, extensionFirst])
    for (const [batchStep, extensionStep] of [
      [2, 1],
      [3, 4],
    ] as const) {
      const latest = Math.max(batchStep, extensionStep) * minute
      const batch = batchOf(activeAfter([batchFirst, extensionFirst], batchStep * minute))
      for (const extended of activeAfter([extensionFirst], extensionStep * minute)) {
        await store.extendSession(extended.id, extended)
      }
      await store.batchRecordActivity(batch)
      for (const extended of activeAfter([batchFirst], extensionStep * minute)) {
        await store.extendSession(extended.id, extended)
      }
      await assertStored(store, activeAfter([batchFirst, extensionFirst], latest))
    }
  },

  async 'batchRecordActivity: batches in opposite order, at once with deletions, all resolve'(store) {
    const [kept, deleted] = [newSessions(300), newSessions(20, { userId: 'leaving' })]
    const all = [...deleted.slice(0, 10), ...kept, ...deleted.slice(10)]
    await createAll(store, all)
    for (let round = 1; round <= 4; round++) {
      const forwards = activeAfter(all, 2 * round)
      const backwards = activeAfter(all.toReversed(), 2 * round + 1)
      await settle([
        store.batchRecordActivity(batchOf(forwards)),
        store.batchRecordActivity(batchOf(backwards)),
        store.deleteUserSessions('leaving'),
        store.batchRecordActivity(batchOf(forwards)),
      ])
      await assertStored(store, activeAfter(kept, 2 * round + 1))
      await assertAbsent(store, deleted)
    }
  },
}
