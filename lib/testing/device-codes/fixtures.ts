import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type {
  DeviceCode,
  DeviceCodeDecision,
  DeviceCodeId,
  DeviceCodeStore,
  DevicePoll,
  UserCodeId,
} from '../../../types/device-code.js'
import type { SessionId } from '../../../types/session.js'
import { later, minute } from '../fixtures.js'

/** The cases of a contract by their names. Each gets a store of its own, without codes. */
export type DeviceCodeCases = Readonly<Record<string, (store: DeviceCodeStore) => Promise<void>>>

/** What a hash in base64url looks like. */
function newHash(): string {
  return randomBytes(32).toString('base64url')
}

const approver = newHash() as SessionId

export function newDeviceCodeId(): DeviceCodeId {
  return newHash() as DeviceCodeId
}

export function newUserCodeId(): UserCodeId {
  return newHash() as UserCodeId
}

/**
 * A code that waits, near the real time, because a store may forget by the clock of its server. Neither of its times
 * falls on a whole second.
 */
export function newDeviceCode(seed: Partial<DeviceCode> & { readonly age?: number } = {}): DeviceCode {
  const { age = minute, ...fields } = seed
  const createdAt = Math.floor(Date.now() / 1_000) * 1_000 - age + 457
  return {
    id: newDeviceCodeId(),
    userCodeId: newUserCodeId(),
    createdAt: new Date(createdAt),
    expiresAt: new Date(createdAt + 10 * minute + 222),
    interval: 5_000,
    lastPolledAt: null,
    status: 'pending',
    userId: null,
    sessionId: null,
    metadata: null,
    ...fields,
  }
}

/** The decision of a session of this user; `null` denies. */
export function decisionOf(userId: string | null): DeviceCodeDecision {
  return { userId, sessionId: userId === null ? null : approver }
}

/** A code that this user approved. */
export function approved(code: DeviceCode, userId = 'ada'): DeviceCode {
  return { ...code, status: 'approved', ...decisionOf(userId) }
}

/** The fields of a code; a store may make its objects as it likes. */
function fieldsOf(code: DeviceCode): object {
  return {
    id: code.id,
    userCodeId: code.userCodeId,
    createdAt: code.createdAt,
    expiresAt: code.expiresAt,
    interval: code.interval,
    lastPolledAt: code.lastPolledAt,
    status: code.status,
    userId: code.userId,
    sessionId: code.sessionId,
    metadata: code.metadata && { ...code.metadata },
  }
}

export function assertDeviceCode(actual: DeviceCode | null, expected: DeviceCode): void {
  assert.ok(actual !== null, `device code ${expected.id} is absent`)
  assert.deepEqual(fieldsOf(actual), fieldsOf(expected))
}

/** The codes are there as they are here, each by both of its ids. */
export async function assertKept(store: DeviceCodeStore, ...codes: DeviceCode[]): Promise<void> {
  for (const code of codes) {
    assertDeviceCode(await store.getDeviceCode(code.id), code)
    assertDeviceCode(await store.findDeviceCode(code.userCodeId), code)
  }
}

/** None of the codes is found by either of its ids. */
export async function assertGone(store: DeviceCodeStore, ...codes: DeviceCode[]): Promise<void> {
  for (const { id, userCodeId } of codes) {
    assert.equal(await store.getDeviceCode(id), null)
    assert.equal(await store.findDeviceCode(userCodeId), null)
  }
}

export async function createCodes(store: DeviceCodeStore, ...codes: DeviceCode[]): Promise<void> {
  for (const code of codes) assert.equal(await store.createDeviceCode(code), true)
}

/** A device that polled twice. */
export function polled(code: DeviceCode): DeviceCode {
  return { ...code, lastPolledAt: later(code.createdAt, 12_345), interval: 10_000 }
}

/** The poll that leaves a code as it is here. */
export function pollOf({ interval, lastPolledAt }: DeviceCode): DevicePoll {
  assert.ok(lastPolledAt !== null)
  return { interval, lastPolledAt }
}
