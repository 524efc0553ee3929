import assert from 'node:assert/strict'
import type { SessionDataStore } from '../../../types/data.js'
import type { SessionId } from '../../../types/session.js'
import { hasCapability } from '../../core/capabilities.js'
import {
  activeAt,
  assertStored,
  type ContractCases,
  createAll,
  hour,
  later,
  minute,
  newSession,
} from '../fixtures.js'
import { assertData, limits, withSession } from './cases.js'

/** How data lives and ends with its session. */
export const dataLifeCases: ContractCases<SessionDataStore> = {
  async 'data: is gone with its session, whatever ends that'(store) {
    const data = new Map([['a', '1']])
    const endings: readonly ((id: SessionId) => Promise<unknown>)[] = [
      (id) => store.deleteSession(id),
      () => store.deleteUserSessions('user'),
    ]
    for (const end of endings) {
      const session = newSession()
      await store.createSession(session)
      await store.writeData(session.id, data, limits)
      await end(session.id)
      assert.equal(await store.readData(session.id, null), null)
      assert.equal(await store.writeData(session.id, data, limits), 'absent')
      assert.equal(await store.swapData(session.id, 'a', '1', '2', limits), 'absent')
      await store.createSession(session)
      await assertData(store, session.id, {})
      await store.deleteSession(session.id)
    }
  },

  async 'data: is gone with sessions that are deleted together, by a sweep or by their metadata'(store) {
    const session = newSession({ metadata: { oidc_sid: 'sid-1' } })
    const expired = newSession({ age: 2 * hour })
    const endings = [
      hasCapability(store, 'deleteAllSessions') && (() => store.deleteAllSessions()),
      hasCapability(store, 'deleteSessionsByMetadata') &&
        (() => store.deleteSessionsByMetadata({ oidc_sid: 'sid-1' })),
    ]
    for (const end of endings) {
      if (end === false) continue
      await store.createSession(session)
      await store.writeData(session.id, new Map([['a', '1']]), limits)
      await end()
      await store.createSession(session)
      await assertData(store, session.id, {})
      await store.deleteSession(session.id)
    }
    if (!hasCapability(store, 'deleteExpiredSessions')) return
    await store.createSession(expired)
    await store.writeData(expired.id, new Map([['a', '1']]), limits)
    assert.equal(await store.deleteExpiredSessions(new Date(), 1_000), 1)
    await store.createSession(expired)
    await assertData(store, expired.id, {})
  },

  async 'data: stays through activity, extensions and updates, which it does not touch either'(store) {
    const session = newSession({ metadata: { device: 'phone' } })
    await createAll(store, [session])
    await store.writeData(session.id, new Map([['a', '1']]), limits)
    await assertStored(store, [session])
    const moved = activeAt(session, later(session.lastActivityAt, minute))
    await store.extendSession(session.id, moved)
    if (hasCapability(store, 'batchRecordActivity')) {
      await store.batchRecordActivity(new Map([[session.id, later(moved.lastActivityAt, 1)]]))
    }
    if (hasCapability(store, 'updateSession')) {
      const absoluteDeadline = later(session.absoluteDeadline, hour)
      assert.equal(await store.updateSession(session.id, 1, { details: 'x', absoluteDeadline }), 'updated')
    }
    await assertData(store, session.id, { a: '1' })
    await store.writeData(session.id, new Map([['b', '2']]), limits)
    await assertData(store, session.id, { a: '1', b: '2' })
  },

  async 'data: of an expired session can be read and written until it is deleted'(store) {
    const session = newSession({ age: 31 * minute })
    await store.createSession(session)
    const result = await store.writeData(session.id, new Map([['a', '1']]), limits)
    // A store that forgets by itself may have done so.
    if (result === 'absent') return
    assert.equal(result, 'written')
    await assertData(store, session.id, { a: '1' })
  },

  async 'data: a later change to what it was given, or handed out, changes nothing that is stored'(store) {
    const id = await withSession(store)
    const changes = new Map([['a', '1']])
    const writing = store.writeData(id, changes, limits)
    changes.set('a', '2')
    await writing
    const found = (await store.readData(id, null)) as Map<string, string>
    const kept = found.get('a')
    if (typeof found.set === 'function') found.set('a', '3')
    await assertData(store, id, { a: String(kept) })
  },

  async 'createSession: with data, keeps both in one step'(store) {
    const session = newSession()
    await store.createSession(
      session,
      new Map([
        ['cart', '[1]'],
        ['__proto__', '2'],
      ]),
    )
    await assertStored(store, [session])
    await assertData(
      store,
      session.id,
      Object.fromEntries([
        ['cart', '[1]'],
        ['__proto__', '2'],
      ]),
    )
    await store.writeData(session.id, new Map([['cart', null]]), limits)
    const empty = newSession()
    await store.createSession(empty, new Map())
    await assertData(store, empty.id, {})
  },

  async 'createSession: with data for an id that exists, rejects and leaves the data as it was'(store) {
    const session = newSession()
    await store.createSession(session, new Map([['a', '1']]))
    await assert.rejects(async () =>
      store.createSession(
        session,
        new Map([
          ['a', '2'],
          ['b', '3'],
        ]),
      ),
    )
    await assertData(store, session.id, { a: '1' })
  },

  async 'visitors: are kept with their data, and belong to nobody'(store) {
    const visitor = { ...newSession(), userId: null }
    const session = newSession({ userId: 'null' })
    await store.createSession(visitor, new Map([['cart', '[1]']]))
    await store.createSession(session)
    await assertStored(store, [visitor])
    for (const userId of ['null', 'undefined', 'user', '']) {
      if (hasCapability(store, 'listUserSessions')) {
        const listed = (await store.listUserSessions(userId)).map(({ id }) => id)
        assert.ok(!listed.includes(visitor.id))
      }
      await store.deleteUserSessions(userId)
    }
    const moved = activeAt(visitor, later(visitor.lastActivityAt, minute))
    assert.equal(await store.extendSession(visitor.id, moved), true)
    await assertStored(store, [moved])
    await assertData(store, visitor.id, { cart: '[1]' })
    assert.equal(await store.deleteSession(visitor.id), true)
    assert.equal(await store.readData(visitor.id, null), null)
  },

  async 'visitors: end with all sessions, and are swept'(store) {
    const visitor = { ...newSession(), userId: null }
    if (hasCapability(store, 'deleteAllSessions')) {
      await store.createSession(visitor, new Map([['a', '1']]))
      await store.deleteAllSessions()
      assert.equal(await store.readData(visitor.id, null), null)
    }
    if (!hasCapability(store, 'deleteExpiredSessions')) return
    const expired = { ...newSession({ age: 2 * hour }), userId: null }
    await store.createSession(expired, new Map([['a', '1']]))
    assert.equal(await store.deleteExpiredSessions(new Date(), 1_000), 1)
    assert.equal(await store.readData(expired.id, null), null)
  },
}
