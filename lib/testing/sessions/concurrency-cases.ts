import assert from 'node:assert/strict'
import { hasCapability } from '../../core/capabilities.js'
import {
  activeAt,
  assertAbsent,
  type ContractCases,
  createAll,
  hour,
  later,
  newSessions,
  settle,
} from '../fixtures.js'
import { batchOf } from './activity-cases.js'

const metadata = { oidc_iss: 'https://op.example', oidc_sub: 'ada' }

export const concurrencyCases: ContractCases = {
  async 'at once: flushing, extending, sweeping and deleting all resolve, and nothing comes back'(store) {
    for (let round = 1; round <= 4; round++) {
      const sessions = [
        ...newSessions(150, { metadata }),
        ...newSessions(150, { age: 2 * hour, userId: 'idle', metadata }),
      ]
      await createAll(store, sessions)
      const active = sessions.map((session) => activeAt(session, later(session.lastActivityAt, 1)))
      const calls: Promise<unknown>[] = []
      for (const order of [active, active.toReversed()]) {
        if (hasCapability(store, 'batchRecordActivity')) calls.push(store.batchRecordActivity(batchOf(order)))
        for (const session of order.slice(0, 5)) calls.push(store.extendSession(session.id, session))
        if (hasCapability(store, 'deleteExpiredSessions')) {
          calls.push(store.deleteExpiredSessions(new Date(), 100))
        }
        for (const session of order.slice(0, 3)) calls.push(store.deleteSession(session.id))
        calls.push(store.deleteUserSessions('idle'), store.deleteUserSessions('user'))
        if (hasCapability(store, 'deleteSessionsByMetadata')) {
          calls.push(store.deleteSessionsByMetadata(metadata))
        }
        if (hasCapability(store, 'deleteAllSessions')) calls.push(store.deleteAllSessions())
      }
      await settle(calls)
      await assertAbsent(store, sessions)
      for (const userId of ['user', 'idle']) {
        if (hasCapability(store, 'listUserSessions')) {
          assert.deepEqual(await store.listUserSessions(userId), [])
        }
        assert.equal(await store.deleteUserSessions(userId), 0)
      }
    }
  },
}
