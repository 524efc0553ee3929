import assert from 'node:assert/strict'
import type { DeviceCode, DeviceCodeStore } from '../../../types/device-code.js'
import { later, settle } from '../fixtures.js'
import { alikeIds } from '../sessions/alike-ids.js'
import {
  approved,
  assertDeviceCode,
  assertGone,
  assertKept,
  createCodes,
  type DeviceCodeCases,
  decisionOf,
  newDeviceCode,
  newDeviceCodeId,
  newUserCodeId,
  polled,
  pollOf,
} from './fixtures.js'

const metadata = { device_client: `it's a "TV" \\ {0} 👍`, 名前: '山田' }

/** Creates many codes at once that share one of their ids; one is kept, and the others take nothing. */
async function assertOneWins(store: DeviceCodeStore, shared: Partial<DeviceCode>): Promise<void> {
  const codes = Array.from({ length: 20 }, (_, i) => newDeviceCode({ ...shared, interval: i + 1 }))
  const created = await settle(codes.map((code) => store.createDeviceCode(code)))
  const winners = codes.filter((_, i) => created[i])
  assert.equal(winners.length, 1)
  await assertKept(store, ...winners)
  for (const { id, userCodeId } of codes.filter((_, i) => !created[i])) {
    const own = 'id' in shared ? { userCodeId } : { id }
    await createCodes(store, newDeviceCode(own))
  }
  await assertKept(store, ...winners)
}

export const deviceCodeCases: DeviceCodeCases = {
  async 'createDeviceCode: keeps every field, and times to the millisecond'(store) {
    const plain = newDeviceCode()
    const full = newDeviceCode({ interval: 12_345, metadata })
    const decided = approved(newDeviceCode({ lastPolledAt: new Date(1_001) }))
    await createCodes(store, plain, full, decided, newDeviceCode({ metadata: {} }))
    await assertKept(store, plain, full, decided)
  },

  async 'createDeviceCode: false if the id is taken, and changes nothing'(store) {
    const first = newDeviceCode({ metadata })
    await createCodes(store, first)
    const second = newDeviceCode({ id: first.id, interval: 1 })
    assert.equal(await store.createDeviceCode(second), false)
    assert.equal(await store.createDeviceCode(first), false)
    await assertKept(store, first)
    assert.equal(await store.findDeviceCode(second.userCodeId), null)
    assert.equal(await store.decideDeviceCode(second.userCodeId, decisionOf('eve')), false)
    await createCodes(store, newDeviceCode({ userCodeId: second.userCodeId }))
    await assertKept(store, first)
  },

  async 'createDeviceCode: false if the user code is taken, and changes nothing'(store) {
    const first = newDeviceCode({ metadata })
    await createCodes(store, first)
    const second = newDeviceCode({ userCodeId: first.userCodeId, interval: 1 })
    assert.equal(await store.createDeviceCode(second), false)
    await assertKept(store, first)
    assert.equal(await store.getDeviceCode(second.id), null)
    await createCodes(store, newDeviceCode({ id: second.id }))
    await assertKept(store, first)
  },

  async 'createDeviceCode: of many at once with the same id exactly one wins'(store) {
    await assertOneWins(store, { id: newDeviceCodeId() })
  },

  async 'createDeviceCode: of many at once with the same user code exactly one wins'(store) {
    await assertOneWins(store, { userCodeId: newUserCodeId() })
  },

  async 'createDeviceCode: a change to what it was given, or hands out, changes nothing that is kept'(store) {
    const code = newDeviceCode({ metadata: { ...metadata }, lastPolledAt: new Date() })
    const kept = structuredClone(code)
    await createCodes(store, code)
    const handedOut = [await store.getDeviceCode(code.id), await store.findDeviceCode(code.userCodeId)]
    for (const given of [code, ...handedOut]) {
      assert.ok(given !== null && given.metadata !== null)
      for (const value of Object.values(given)) if (value instanceof Date) value.setTime(1)
      Reflect.set(given.metadata, 'device_client', 'changed')
      Reflect.set(given, 'userId', 'eve')
    }
    await assertKept(store, kept)
  },

  async 'getDeviceCode: null for an id that is absent'(store) {
    const code = newDeviceCode()
    await createCodes(store, code)
    assert.equal(await store.getDeviceCode(newDeviceCodeId()), null)
    assert.equal(await store.getDeviceCode(code.userCodeId as string as DeviceCode['id']), null)
  },

  async 'findDeviceCode: the one code of a user code, or null'(store) {
    const codes = [newDeviceCode(), newDeviceCode(), newDeviceCode()]
    await createCodes(store, ...codes)
    for (const code of codes) assertDeviceCode(await store.findDeviceCode(code.userCodeId), code)
    assert.equal(await store.findDeviceCode(newUserCodeId()), null)
    for (const { id } of codes) {
      assert.equal(await store.findDeviceCode(id as string as DeviceCode['userCodeId']), null)
    }
  },

  async 'recordDevicePoll: keeps the time and the interval, and changes nothing else'(store) {
    const [code, other] = [newDeviceCode({ metadata }), newDeviceCode()]
    await createCodes(store, code, other)
    assert.equal(await store.recordDevicePoll(code.id, pollOf(polled(code))), true)
    await assertKept(store, polled(code), other)
  },

  async 'recordDevicePoll: the later time and the longer interval stand, whatever the order'(store) {
    const code = newDeviceCode()
    await createCodes(store, code)
    const late = polled(code)
    await store.recordDevicePoll(code.id, pollOf(late))
    const early = { interval: 5_000, lastPolledAt: later(code.createdAt, 1) }
    assert.equal(await store.recordDevicePoll(code.id, early), true)
    await assertKept(store, late)
    const polls = Array.from({ length: 10 }, (_, i) => later(code.createdAt, 20_000 - i))
    await settle(polls.map((at) => store.recordDevicePoll(code.id, { interval: 15_000, lastPolledAt: at })))
    await assertKept(store, { ...code, interval: 15_000, lastPolledAt: later(code.createdAt, 20_000) })
  },

  async 'recordDevicePoll: false for a code that is absent, and creates nothing'(store) {
    const code = newDeviceCode()
    assert.equal(await store.recordDevicePoll(code.id, pollOf(polled(code))), false)
    await assertGone(store, code)
    await createCodes(store, code)
    await store.consumeDeviceCode(code.id)
    assert.equal(await store.recordDevicePoll(code.id, pollOf(polled(code))), false)
    await assertGone(store, code)
  },

  async 'recordDevicePoll: at once with a decision, both are kept'(store) {
    for (let round = 0; round < 10; round++) {
      const code = newDeviceCode()
      await createCodes(store, code)
      const calls = [
        store.recordDevicePoll(code.id, pollOf(polled(code))),
        store.decideDeviceCode(code.userCodeId, decisionOf('ada')),
      ]
      assert.deepEqual(await settle(round % 2 === 0 ? calls : calls.toReversed()), [true, true])
      await assertKept(store, approved(polled(code)))
    }
  },

  async 'decideDeviceCode: approves for the user, and changes nothing else'(store) {
    const [code, other] = [polled(newDeviceCode({ metadata })), newDeviceCode()]
    await createCodes(store, code, other)
    assert.equal(await store.decideDeviceCode(code.userCodeId, decisionOf('ada')), true)
    await assertKept(store, approved(code), other)
  },

  async 'decideDeviceCode: null denies'(store) {
    const code = newDeviceCode({ metadata })
    await createCodes(store, code)
    assert.equal(await store.decideDeviceCode(code.userCodeId, decisionOf(null)), true)
    await assertKept(store, { ...code, status: 'denied' })
  },

  async 'decideDeviceCode: keeps the user id exactly'(store) {
    for (const userId of Object.values(alikeIds).flat()) {
      const code = newDeviceCode()
      await createCodes(store, code)
      assert.equal(await store.decideDeviceCode(code.userCodeId, decisionOf(userId)), true)
      assert.equal((await store.getDeviceCode(code.id))?.userId, userId)
    }
  },

  async 'decideDeviceCode: keeps the session that approved'(store) {
    const code = newDeviceCode()
    await createCodes(store, code)
    const decision = decisionOf('ada')
    await store.decideDeviceCode(code.userCodeId, decision)
    assert.equal((await store.getDeviceCode(code.id))?.sessionId, decision.sessionId)
  },

  async 'decideDeviceCode: false if it is decided, and the first decision stands'(store) {
    for (const first of ['ada', null]) {
      const code = newDeviceCode()
      await createCodes(store, code)
      await store.decideDeviceCode(code.userCodeId, decisionOf(first))
      for (const userId of ['eve', null]) {
        assert.equal(await store.decideDeviceCode(code.userCodeId, decisionOf(userId)), false)
      }
      await assertKept(store, {
        ...code,
        status: first === null ? 'denied' : 'approved',
        ...decisionOf(first),
      })
    }
  },

  async 'decideDeviceCode: false for a code that is absent, and creates nothing'(store) {
    const code = newDeviceCode()
    assert.equal(await store.decideDeviceCode(code.userCodeId, decisionOf('ada')), false)
    await assertGone(store, code)
    await createCodes(store, code)
    await store.consumeDeviceCode(code.id)
    assert.equal(await store.decideDeviceCode(code.userCodeId, decisionOf('ada')), false)
    await assertGone(store, code)
  },

  async 'decideDeviceCode: of many at once exactly one wins'(store) {
    const code = newDeviceCode()
    await createCodes(store, code)
    const decisions = Array.from({ length: 10 }, (_, i) => [
      { ...decisionOf(`user ${i}`), status: 'approved' as const },
      { ...decisionOf(null), status: 'denied' as const },
    ]).flat()
    const decided = await settle(
      decisions.map((decision) => store.decideDeviceCode(code.userCodeId, decision)),
    )
    assert.equal(decided.filter(Boolean).length, 1)
    await assertKept(store, { ...code, ...decisions[decided.indexOf(true)] })
  },
}
