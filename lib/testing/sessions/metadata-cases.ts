import assert from 'node:assert/strict'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { MetadataSessionsDeleter, SessionRecord, SessionStore } from '../../../types/store.js'
import { hasCapability } from '../../core/capabilities.js'
import {
  activeAt,
  assertAbsent,
  assertSessions,
  assertStored,
  type ContractCases,
  createAll,
  later,
  minute,
  newSession,
  newSessions,
  present,
  settle,
} from '../fixtures.js'
import { alikeIds } from './alike-ids.js'

/** What a sign-in with OpenID leaves in the metadata. */
const ada: SessionMetadata = {
  oidc_iss: 'https://op.example',
  oidc_sub: 'ada',
  oidc_sid: 'sid-1',
  device: 'phone',
}

function idsOf(sessions: readonly SessionRecord[]): SessionId[] {
  return sessions.map(({ id }) => id).toSorted()
}

/** Deletes by the pairs; fails unless these sessions, and no others, were deleted. */
async function assertDeletes(
  store: SessionStore & MetadataSessionsDeleter,
  pairs: SessionMetadata,
  expected: readonly SessionRecord[],
): Promise<void> {
  assert.deepEqual((await store.deleteSessionsByMetadata(pairs)).toSorted(), idsOf(expected))
  await assertAbsent(store, expected)
}

export const metadataCases: ContractCases<MetadataSessionsDeleter> = {
  async 'deleteSessionsByMetadata: deletes every session that holds the pairs, whoever has it, and resolves their ids'(
    store,
  ) {
    const sessions = [
      ...newSessions(3, { metadata: ada }),
      newSession({ metadata: { ...ada, oidc_sid: 'sid-2' }, userId: 'other' }),
      newSession({ metadata: { oidc_sub: 'ada', oidc_iss: 'https://op.example' }, idleTimeout: null }),
    ]
    await createAll(store, sessions)
    await assertDeletes(store, { oidc_iss: 'https://op.example', oidc_sub: 'ada' }, sessions)
    for (const userId of ['user', 'other']) assert.equal(await store.deleteUserSessions(userId), 0)
  },

  async 'deleteSessionsByMetadata: spares a session that holds only some of the pairs'(store) {
    const session = newSession({ metadata: ada })
    const near: readonly SessionMetadata[] = [
      { ...ada, oidc_sub: 'bob' },
      { ...ada, oidc_sid: 'sid-2' },
      { ...ada, oidc_iss: 'https://other.example' },
      { oidc_sub: 'ada', oidc_sid: 'sid-1' },
      { oidc_iss: 'https://op.example', oidc_sid: 'sid-1' },
      { oidc_iss: 'https://op.example', oidc_sub: 'ada' },
      // The same texts, in other places.
      { oidc_iss: 'ada', oidc_sub: 'sid-1', oidc_sid: 'https://op.example' },
    ]
    const others = near.map((metadata) => newSession({ metadata }))
    await createAll(store, [session, ...others])
    const { device: _, ...pairs } = ada
    await assertDeletes(store, pairs, [session])
    await assertStored(store, others)
  },

  async 'deleteSessionsByMetadata: spares sessions without metadata, and with other facts in it'(store) {
    const others = [
      newSession(),
      newSession({ metadata: {} }),
      newSession({ metadata: { device: 'phone' } }),
      newSession({
        metadata: { sub: 'ada', 'x"oidc_sub': 'ada', OIDC_SUB: 'ada', note: '"oidc_sub":"ada"' },
      }),
    ]
    await createAll(store, others)
    await assertDeletes(store, { oidc_sub: 'ada' }, [])
    await assertStored(store, others)
  },

  async 'deleteSessionsByMetadata: no pairs match no session'(store) {
    const sessions = [newSession(), newSession({ metadata: {} }), newSession({ metadata: ada })]
    await createAll(store, sessions)
    await assertDeletes(store, {}, [])
    await assertStored(store, sessions)
  },

  async 'deleteSessionsByMetadata: tells values apart, however alike'(store) {
    for (const [kind, values] of Object.entries(alikeIds)) {
      const sessions = [...values, ''].map((value) => newSession({ metadata: { oidc_sub: value } }))
      await createAll(store, sessions)
      for (const [i, session] of sessions.entries()) {
        assert.ok(session.metadata !== null)
        const deleted = await store.deleteSessionsByMetadata(session.metadata)
        assert.deepEqual(deleted, [session.id], kind)
        await assertStored(store, sessions.slice(i + 1))
      }
    }
  },

  async 'deleteSessionsByMetadata: finds a session by each of the keys that logout goes by, beside any others'(
    store,
  ) {
    const facts = Object.fromEntries([...Object.entries(ada), ['__proto__', 'a'], ['quoted "key"\t', '\\"']])
    const keys = [['oidc_sid'], ['oidc_sub'], ['oidc_sub', 'device', '__proto__', 'quoted "key"\t']]
    for (const names of keys) {
      const session = newSession({ metadata: facts })
      const other = newSession({ metadata: ada })
      await createAll(store, names.length === 1 ? [session] : [session, other])
      const pairs = Object.fromEntries(Object.entries(facts).filter(([key]) => names.includes(key)))
      await assertDeletes(store, pairs, [session])
    }
  },

  async 'deleteSessionsByMetadata: an empty array if there is no such session, also the second time'(store) {
    await assertDeletes(store, { oidc_sub: 'ada' }, [])
    const session = newSession({ metadata: ada })
    await store.createSession(session)
    await assertDeletes(store, { oidc_sub: 'ada' }, [session])
    await assertDeletes(store, { oidc_sub: 'ada' }, [])
  },

  async 'deleteSessionsByMetadata: finds a session that was extended and active, and nothing brings it back'(
    store,
  ) {
    const session = newSession({ metadata: ada })
    await store.createSession(session)
    const moved = activeAt(session, later(session.lastActivityAt, minute))
    await store.extendSession(moved.id, moved)
    await assertDeletes(store, { oidc_sid: 'sid-1' }, [session])
    const late = activeAt(session, later(session.lastActivityAt, 2 * minute))
    assert.equal(await store.extendSession(late.id, late), false)
    if (hasCapability(store, 'batchRecordActivity')) {
      assert.equal(await store.batchRecordActivity(new Map([[late.id, late.lastActivityAt]])), 0)
    }
    await assertAbsent(store, [session])
    if (hasCapability(store, 'listUserSessions')) assertSessions(await store.listUserSessions('user'), [])
  },

  async 'deleteSessionsByMetadata: of sessions deleted before, none is found, and one of that id again is'(
    store,
  ) {
    const [first, second, third] = [0, 1, 2].map(() => newSession({ metadata: ada })) as [
      SessionRecord,
      SessionRecord,
      SessionRecord,
    ]
    await createAll(store, [first, second, third])
    await store.deleteSession(first.id)
    await store.deleteUserSessions('user', { except: third.id })
    await store.createSession(second)
    await assertDeletes(store, { oidc_sub: 'ada' }, [second, third])
  },

  async 'deleteSessionsByMetadata: of many at once each id is resolved to one caller'(store) {
    const sessions = newSessions(40, { metadata: ada })
    await createAll(store, sessions)
    const calls = ['oidc_sub', 'oidc_sid', 'oidc_sub', 'oidc_sid'].map((key) =>
      store.deleteSessionsByMetadata({ [key]: ada[key] as string }),
    )
    assert.deepEqual((await settle(calls)).flat().toSorted(), idsOf(sessions))
    await assertAbsent(store, sessions)
  },

  async 'deleteSessionsByMetadata: leaves nothing behind that was created before it began'(store) {
    const sessions = newSessions(100, { metadata: ada })
    const acknowledged: SessionRecord[] = []
    const create = async (session: SessionRecord): Promise<void> => {
      await store.createSession(session)
      acknowledged.push(session)
    }
    await settle(sessions.slice(0, 30).map(create))
    const creations = sessions.slice(30).map(create)
    const deleteMeanwhile = async (): Promise<{ before: SessionRecord[]; deleted: SessionId[] }> => {
      await Promise.race(creations)
      const before = [...acknowledged]
      return { before, deleted: await store.deleteSessionsByMetadata({ oidc_sub: 'ada' }) }
    }
    const deletion = deleteMeanwhile()
    await settle<unknown>([deletion, ...creations])
    const { before, deleted } = await deletion
    await assertAbsent(store, before)
    const left = await present(store, sessions)
    assert.deepEqual([...deleted, ...idsOf(left)].toSorted(), idsOf(sessions))
    await assertDeletes(store, { oidc_sub: 'ada' }, left)
  },
}
