import assert from 'node:assert/strict'
import type { DeviceCode } from '../../../types/device-code.js'
import { later, minute, settle } from '../fixtures.js'
import {
  approved,
  assertDeviceCode,
  assertGone,
  assertKept,
  createCodes,
  type DeviceCodeCases,
  decisionOf,
  newDeviceCode,
  polled,
  pollOf,
} from './fixtures.js'

/** True if codes vanish from the store by themselves, as it then says of its sessions too. */
function vanishes(store: object): boolean {
  return 'expiryGrace' in store
}

export const deviceCodeEndCases: DeviceCodeCases = {
  async 'consumeDeviceCode: resolves the code as it stood, and deletes it'(store) {
    for (const userId of ['ada', null]) {
      const [code, other] = [newDeviceCode({ metadata: { device_client: 'TV' } }), newDeviceCode()]
      await createCodes(store, code, other)
      await store.recordDevicePoll(code.id, pollOf(polled(code)))
      await store.decideDeviceCode(code.userCodeId, decisionOf(userId))
      const consumed = await store.consumeDeviceCode(code.id)
      const status = userId === null ? 'denied' : 'approved'
      assertDeviceCode(consumed, { ...polled(code), status, ...decisionOf(userId) })
      await assertGone(store, code)
      await assertKept(store, other)
    }
  },

  async 'consumeDeviceCode: null for a code that is absent, also the second time'(store) {
    const code = newDeviceCode()
    assert.equal(await store.consumeDeviceCode(code.id), null)
    await createCodes(store, code)
    await store.consumeDeviceCode(code.id)
    assert.equal(await store.consumeDeviceCode(code.id), null)
  },

  async 'consumeDeviceCode: frees both ids'(store) {
    const code = newDeviceCode()
    await createCodes(store, code)
    await store.consumeDeviceCode(code.id)
    const next = newDeviceCode({ userCodeId: code.userCodeId })
    await createCodes(store, next, newDeviceCode({ id: code.id }))
    await assertKept(store, next)
  },

  async 'consumeDeviceCode: of many at once exactly one gets it'(store) {
    const code = newDeviceCode()
    await createCodes(store, code)
    const calls = Array.from({ length: 20 }, () => store.consumeDeviceCode(code.id))
    const consumed = (await settle(calls)).filter((each) => each !== null)
    assert.equal(consumed.length, 1)
    await assertGone(store, code)
  },

  async 'consumeDeviceCode: at once with a decision, resolves it decided, or there is nothing to decide'(
    store,
  ) {
    for (let round = 0; round < 10; round++) {
      const code = newDeviceCode()
      await createCodes(store, code)
      const decide = (): Promise<boolean> => store.decideDeviceCode(code.userCodeId, decisionOf('ada'))
      const early = round % 2 === 0 ? decide() : null
      const consumed = store.consumeDeviceCode(code.id)
      const decided = early ?? decide()
      await settle<unknown>([consumed, decided])
      const expected: DeviceCode = (await decided) ? approved(code) : code
      assertDeviceCode(await consumed, expected)
    }
  },

  async 'consumeDeviceCode: at once with polls and decisions, nothing comes back'(store) {
    for (let round = 0; round < 10; round++) {
      const code = newDeviceCode()
      await createCodes(store, code)
      const calls: Promise<unknown>[] = [
        store.recordDevicePoll(code.id, pollOf(polled(code))),
        store.consumeDeviceCode(code.id),
        store.decideDeviceCode(code.userCodeId, decisionOf('ada')),
        store.recordDevicePoll(code.id, pollOf(polled(code))),
      ]
      await settle(calls)
      await assertGone(store, code)
    }
  },

  async 'deleteExpiredDeviceCodes: deletes what is past its end, and nothing else'(store) {
    const age = 60 * minute
    const decided: readonly Partial<DeviceCode>[] = [
      { status: 'approved', ...decisionOf('ada') },
      { status: 'denied' },
    ]
    const expired = [{}, ...decided].map((fields) => polled(newDeviceCode({ ...fields, age })))
    const live = [{}, ...decided, { expiresAt: later(new Date(), age) }].map(newDeviceCode)
    await createCodes(store, ...expired, ...live)
    const deleted = await store.deleteExpiredDeviceCodes(new Date(), 100)
    assert.equal(deleted, vanishes(store) ? 0 : expired.length)
    await assertGone(store, ...expired)
    await assertKept(store, ...live)
    await createCodes(store, ...expired)
  },

  async 'deleteExpiredDeviceCodes: spares a code whose end is exactly the given time'(store) {
    const code = newDeviceCode()
    await createCodes(store, code)
    assert.equal(await store.deleteExpiredDeviceCodes(code.expiresAt, 100), 0)
    await assertKept(store, code)
    if (vanishes(store)) return
    assert.equal(await store.deleteExpiredDeviceCodes(later(code.expiresAt, 1), 100), 1)
    await assertGone(store, code)
  },

  async 'deleteExpiredDeviceCodes: deletes up to the limit; fewer means that it is done'(store) {
    const expired = Array.from({ length: 25 }, () => newDeviceCode({ age: 60 * minute }))
    const live = newDeviceCode()
    await createCodes(store, ...expired, live)
    const counts: number[] = []
    do counts.push(await store.deleteExpiredDeviceCodes(new Date(), 10))
    while (counts.at(-1) === 10 && counts.length < 10)
    assert.deepEqual(counts, vanishes(store) ? [0] : [10, 10, 5])
    await assertGone(store, ...expired)
    await assertKept(store, live)
  },

  async 'deleteExpiredDeviceCodes: 0 if nothing has expired'(store) {
    assert.equal(await store.deleteExpiredDeviceCodes(new Date(), 100), 0)
    const codes = [newDeviceCode(), newDeviceCode()]
    await createCodes(store, ...codes)
    assert.equal(await store.deleteExpiredDeviceCodes(new Date(), 100), 0)
    await assertKept(store, ...codes)
  },
}
