import assert from 'node:assert/strict'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import {
  assertSession,
  assertStored,
  type ContractCases,
  century,
  copyOf,
  createAll,
  hour,
  newSession,
  newSessionId,
  tamperWith,
} from '../fixtures.js'

/** `fromEntries`, because in an object literal `__proto__` is no key. */
const metadatas: readonly SessionMetadata[] = [
  {},
  { '': '' },
  { device: `it's a "phone" \\ {0} $1 ?`, 'quoted "key"': '\u0001\n\t\u2028' },
  { clé: 'été', 名前: '山田', مرحبا: 'שלום', '👩‍👩‍👧': '👍🏽' },
  Object.fromEntries([
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['toString', 'c'],
    ['then', 'd'],
  ]),
  { 2: 'two', 10: 'ten', true: 'false', null: 'null', number: '007', date: '2026-01-01T00:00:00.000Z' },
  { long: 'x'.repeat(4_000) },
]

export const sessionCases: ContractCases = {
  async 'createSession: keeps every field, and times to the millisecond'(store) {
    const session = newSession({ metadata: { device: 'phone' } })
    await store.createSession(session)
    await assertStored(store, [session])
  },

  async 'createSession: keeps metadata as given'(store) {
    const sessions = metadatas.map((metadata) => newSession({ metadata }))
    await createAll(store, sessions)
    await assertStored(store, sessions)
  },

  async 'createSession: keeps null if there is no idle limit and no metadata'(store) {
    const session = newSession({ idleTimeout: null, metadata: null })
    await store.createSession(session)
    await assertStored(store, [session])
  },

  async 'createSession: keeps lifetimes of a hundred years and of a millisecond'(store) {
    const sessions = [
      newSession({ idleTimeout: century, absoluteTimeout: century }),
      newSession({ idleTimeout: null, absoluteTimeout: century }),
    ]
    const brief = newSession({ idleTimeout: 1, absoluteTimeout: century })
    await createAll(store, [...sessions, brief])
    await assertStored(store, sessions)
    const found = await store.getSession(brief.id)
    if (found !== null) assertSession(found, brief)
  },

  async 'createSession: rejects if the id exists, and leaves the first session as it was'(store) {
    const first = newSession({ userId: 'first', metadata: { device: 'phone' } })
    await store.createSession(first)
    const second = newSession({ id: first.id, userId: 'second', age: 0, idleTimeout: hour })
    await assert.rejects(async () => store.createSession(second), 'a second creation did not reject')
    await assert.rejects(async () => store.createSession(first), 'the same creation again did not reject')
    await assertStored(store, [first])
    assert.equal(await store.deleteUserSessions('second'), 0)
    await assertStored(store, [first])
  },

  async 'createSession: of many at once with the same id exactly one wins'(store) {
    const id = newSessionId()
    const sessions = Array.from({ length: 10 }, (_, i) => newSession({ id, userId: `user ${i}` }))
    const results = await Promise.allSettled(sessions.map(async (session) => store.createSession(session)))
    const winners = sessions.filter((_, i) => results[i]?.status === 'fulfilled')
    assert.equal(winners.length, 1)
    await assertStored(store, winners)
  },

  async 'createSession: ids that differ only in case are different sessions'(store) {
    const tail = newSessionId().slice(2)
    const sessions = ['ab', 'aB', 'Ab', 'AB'].map((head) => newSession({ id: `${head}${tail}` as SessionId }))
    await createAll(store, sessions)
    await assertStored(store, sessions)
    for (const [i, session] of sessions.entries()) {
      assert.equal(await store.deleteSession(session.id), true)
      await assertStored(store, sessions.slice(i + 1))
    }
  },

  async 'createSession: a later change to what it was given changes nothing that is stored'(store) {
    const session = newSession({ metadata: { device: 'phone' } })
    const original = copyOf(session)
    await store.createSession(session)
    tamperWith(session)
    await assertStored(store, [original])
  },

  async 'getSession: null if the session is absent'(store) {
    await store.createSession(newSession())
    assert.equal(await store.getSession(newSessionId()), null)
  },

  async 'getSession: an expired session as it was, or null'(store) {
    const idle = newSession({ age: 2 * hour })
    const old = newSession({ age: 2 * hour, idleTimeout: null, absoluteTimeout: hour })
    await createAll(store, [idle, old])
    for (const session of [idle, old]) {
      const found = await store.getSession(session.id)
      if (found !== null) assertSession(found, session)
    }
  },

  async 'getSession: a change to what it hands out changes nothing that is stored'(store) {
    const session = newSession({ metadata: { device: 'phone' } })
    await store.createSession(session)
    const found = await store.getSession(session.id)
    assert.ok(found !== null)
    tamperWith(found)
    await assertStored(store, [session])
  },
}
