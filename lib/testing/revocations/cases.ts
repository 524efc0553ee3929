import assert from 'node:assert/strict'
import type { Revocation, RevocationLog, Revocations } from '../../../types/revocation-log.js'
import type { SessionId } from '../../../types/session.js'
import { hasCapability } from '../../core/capabilities.js'
import {
  activeAt,
  type ContractCases,
  createAll,
  hour,
  idleDeadlineOf,
  later,
  minute,
  newSecretHash,
  newSession,
  newSessions,
} from '../fixtures.js'

/** Reads a log from one answer to the next. */
export class LogReader {
  readonly #log: RevocationLog
  cursor: string

  private constructor(log: RevocationLog, cursor: string) {
    this.#log = log
    this.cursor = cursor
  }

  static async begin(log: RevocationLog): Promise<LogReader> {
    return new LogReader(log, (await log.readRevocations(null)).cursor)
  }

  /** Fails if the log cannot tell. */
  async next(): Promise<readonly Revocation[]> {
    const answer = await this.#log.readRevocations(this.cursor)
    this.cursor = answer.cursor
    return entriesOf(answer)
  }

  /** By id, if the session has ended: an entry may come twice, and a change before the end. */
  async ends(): Promise<Map<SessionId, boolean>> {
    return endsOf(await this.next())
  }
}

/** Fails if the log could not tell. */
function entriesOf({ entries }: Revocations): readonly Revocation[] {
  assert.ok(entries !== null, 'the log cannot tell what happened')
  return entries
}

function endsOf(entries: readonly Revocation[]): Map<SessionId, boolean> {
  return new Map(entries.map(({ id, ended }) => [id, ended]))
}

/** Fails unless the sessions have ended since the last answer, and of `others` nothing is said. */
async function assertEnded(
  reader: LogReader,
  ids: readonly SessionId[],
  others: readonly SessionId[] = [],
): Promise<void> {
  const ends = await reader.ends()
  for (const id of ids) assert.equal(ends.get(id), true, `the end of ${id} is missing`)
  for (const id of others) assert.ok(!ends.has(id), `${id} is in the log`)
}

/** Reads until nothing is new: an entry may come twice, but not for ever. */
async function assertQuiet(reader: LogReader): Promise<void> {
  for (let tries = 1; (await reader.next()).length > 0; tries++) {
    assert.ok(tries < 10, 'the same entries come again and again')
  }
}

function idsOf(sessions: readonly { readonly id: SessionId }[]): SessionId[] {
  return sessions.map(({ id }) => id)
}

export const revocationCases: ContractCases<RevocationLog> = {
  async 'readRevocations: without a cursor gives no entries, only where to begin'(store) {
    const session = newSession()
    await store.createSession(session)
    await store.deleteSession(session.id)
    const answer = await store.readRevocations(null)
    assert.deepEqual([...entriesOf(answer)], [])
    assert.equal(typeof answer.cursor, 'string')
  },

  async 'readRevocations: cannot tell by a cursor that it does not know, and goes on from there'(store) {
    const known = (await store.readRevocations(null)).cursor
    const cursors = [
      '',
      ' ',
      'x',
      '0',
      '0-0',
      '1:1:',
      `${known}x`,
      `x${known}`,
      known.replace(/\d/g, '9'),
      '\0',
    ]
    for (const unknown of cursors) {
      const { cursor, entries } = await store.readRevocations(unknown)
      assert.equal(entries, null, unknown)
      const session = newSession()
      await store.createSession(session)
      await store.deleteSession(session.id)
      const next = await store.readRevocations(cursor)
      assert.equal(endsOf(entriesOf(next)).get(session.id), true)
    }
  },

  async 'readRevocations: gives what happened since the cursor, again for one that was used'(store) {
    const reader = await LogReader.begin(store)
    const sessions = newSessions(3)
    await createAll(store, sessions)
    await assertQuiet(reader)
    const { cursor } = reader
    for (const { id } of sessions) {
      await store.deleteSession(id)
      await assertEnded(reader, [id])
      await assertQuiet(reader)
    }
    const again = endsOf(entriesOf(await store.readRevocations(cursor)))
    assert.deepEqual(new Set(again.keys()), new Set(idsOf(sessions)))
  },

  async 'readRevocations: has every session that was deleted, one by one, of a user, by metadata or all'(
    store,
  ) {
    const reader = await LogReader.begin(store)
    const [first, spared, ...others] = newSessions(5, { metadata: { oidc_sid: 'sid-1' } })
    assert.ok(first !== undefined && spared !== undefined)
    await createAll(store, [first, spared, ...others])
    await store.deleteSession(first.id)
    await assertEnded(reader, [first.id], idsOf([spared, ...others]))
    await store.deleteUserSessions('user', { except: spared.id })
    await assertEnded(reader, idsOf(others), [spared.id])
    if (hasCapability(store, 'deleteSessionsByMetadata')) {
      await store.deleteSessionsByMetadata({ oidc_sid: 'sid-1' })
      await assertEnded(reader, [spared.id])
    }
    if (!hasCapability(store, 'deleteAllSessions')) return
    const last = newSessions(3, { userId: 'other' })
    await createAll(store, last)
    await store.deleteAllSessions()
    await assertEnded(reader, idsOf(last))
  },

  async 'readRevocations: has nothing of a deletion that found nothing'(store) {
    const session = newSession()
    await store.createSession(session)
    const reader = await LogReader.begin(store)
    await store.deleteSession(newSession().id)
    await store.deleteUserSessions('nobody')
    await store.deleteUserSessions('user', { except: session.id })
    assert.deepEqual([...(await reader.next())], [])
  },

  async 'readRevocations: a change is no end, and comes before the end'(store) {
    if (!hasCapability(store, 'updateSession')) return
    const session = newSession()
    await store.createSession(session)
    const reader = await LogReader.begin(store)
    await store.updateSession(session.id, 2, { secretHash: newSecretHash() })
    assert.deepEqual([...(await reader.next())], [])
    const changes = [
      { secretHash: newSecretHash() },
      { metadata: { device: 'phone' } },
      { details: 'new' },
      { deviceBound: true },
      { absoluteDeadline: later(session.absoluteDeadline, minute) },
    ]
    for (const [i, change] of changes.entries()) {
      assert.equal(await store.updateSession(session.id, i + 1, change), 'updated')
      assert.deepEqual(await reader.ends(), new Map([[session.id, false]]))
      await assertQuiet(reader)
    }
    await store.updateSession(session.id, changes.length + 1, { details: 'newer' })
    await store.deleteSession(session.id)
    await assertEnded(reader, [session.id])
  },

  async 'readRevocations: has nothing of sessions that begin, are active or are extended'(store) {
    const reader = await LogReader.begin(store)
    const sessions = newSessions(3)
    await createAll(store, sessions)
    for (const session of sessions) {
      await store.extendSession(session.id, activeAt(session, later(session.lastActivityAt, minute)))
    }
    if (hasCapability(store, 'batchRecordActivity')) {
      const at = later(new Date(), minute)
      await store.batchRecordActivity(new Map(sessions.map(({ id }) => [id, at])))
    }
    assert.deepEqual([...(await reader.next())], [])
  },

  async 'readRevocations: has nothing of what a sweep removes, and what is deleted after it'(store) {
    if (!hasCapability(store, 'deleteExpiredSessions')) return
    const reader = await LogReader.begin(store)
    const [expired, live] = [newSession({ age: 2 * hour }), newSession()]
    await createAll(store, [expired, live])
    assert.equal(await store.deleteExpiredSessions(later(idleDeadlineOf(expired), 1), 100), 1)
    await store.deleteSession(live.id)
    await assertEnded(reader, [live.id], [expired.id])
  },

  async 'readRevocations: has nothing of visitors'(store) {
    const reader = await LogReader.begin(store)
    const visitors = newSessions(4).map((session) => ({ ...session, userId: null }))
    const [first, second, ...others] = visitors.map(({ id }) => id)
    const session = newSession({ metadata: { text: '{"userId":null}' }, details: ' {"userId":null,' })
    await createAll(store, [...visitors, session])
    if (hasCapability(store, 'updateSession'))
      await store.updateSession(second as SessionId, 1, { details: 'new' })
    await store.deleteSession(first as SessionId)
    for (const id of others) await store.deleteSession(id)
    if (hasCapability(store, 'deleteAllSessions')) await store.deleteAllSessions()
    else await store.deleteSession(session.id)
    await assertEnded(reader, [session.id], idsOf(visitors))
  },

  async 'readRevocations: what one reader has read, another with a cursor of its own still gets'(store) {
    const readers = [await LogReader.begin(store), await LogReader.begin(store)]
    const session = newSession()
    await store.createSession(session)
    await store.deleteSession(session.id)
    for (const reader of readers) await assertEnded(reader, [session.id])
  },
}
