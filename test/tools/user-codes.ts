import type { Test } from 'tap'
import type { DeviceCodeProvider, SessionStore, UserDeleter } from '../../lib/index.js'
import { decisionOf, newDeviceCode } from '../../lib/testing/device-codes/fixtures.js'

/** Deleting a user deletes the device codes that they approved, and nobody else's. */
export async function testUserCodes(
  t: Test,
  store: SessionStore & UserDeleter & DeviceCodeProvider,
): Promise<void> {
  const { deviceCodes } = store
  const [theirs, other, waiting] = [newDeviceCode(), newDeviceCode(), newDeviceCode()]
  for (const code of [theirs, other, waiting]) await deviceCodes.createDeviceCode(code)
  await deviceCodes.decideDeviceCode(theirs.userCodeId, decisionOf('ada'))
  await deviceCodes.decideDeviceCode(other.userCodeId, decisionOf('grace'))
  t.equal(await store.deleteUser('ada'), true)
  t.equal(await store.deleteUser('ada'), false)
  t.equal(await deviceCodes.findDeviceCode(theirs.userCodeId), null)
  t.not(await deviceCodes.findDeviceCode(waiting.userCodeId), null)
  t.equal(await store.deleteUser('grace'), true)
}
