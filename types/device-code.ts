import type { SessionId, SessionMetadata } from './session.js'

declare const brand: unique symbol

/** SHA-256 of the secret that a device polls with, base64url. */
export type DeviceCodeId = string & { readonly [brand]: 'DeviceCodeId' }

/** SHA-256 of the code that a person types, base64url. */
export type UserCodeId = string & { readonly [brand]: 'UserCodeId' }

/** A device that waits for its user (RFC 8628). Codes are kept as hashes, so a stolen store gives nobody a session. */
export interface DeviceCode {
  readonly id: DeviceCodeId
  readonly userCodeId: UserCodeId
  readonly createdAt: Date
  readonly expiresAt: Date
  /** Milliseconds that the device has to leave between two polls. */
  readonly interval: number
  readonly lastPolledAt: Date | null
  readonly status: 'pending' | 'approved' | 'denied'
  /** Who approved it; `null` while it is pending, and if it was denied. */
  readonly userId: string | null
  /** The session that approved it; `null` while it is pending, and if it was denied. */
  readonly sessionId: SessionId | null
  /** Becomes the session's. */
  readonly metadata: SessionMetadata | null
}

/** Who approved a code, and in which session; both `null` deny it. */
export interface DeviceCodeDecision {
  readonly userId: string | null
  readonly sessionId: SessionId | null
}

/** What a poll leaves behind. */
export interface DevicePoll {
  readonly interval: number
  readonly lastPolledAt: Date
}

/** Where the codes of device authorization are kept. The rules of a `SessionStore` hold here too. */
export interface DeviceCodeStore {
  /** Inserts the code. Resolves with false, and changes nothing, if either id is taken. */
  createDeviceCode(code: DeviceCode): Promise<boolean>
  /** Resolves with the code, or `null` if it is absent. It may be an expired one. */
  getDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null>
  /** As `getDeviceCode`, by the code that a person types. */
  findDeviceCode(userCodeId: UserCodeId): Promise<DeviceCode | null>
  /** Keeps the later time of a poll, and the longer interval. Resolves with false if there is no such code. */
  recordDevicePoll(id: DeviceCodeId, poll: DevicePoll): Promise<boolean>
  /** Approves a pending code, or with `null` denies it. Resolves with true for one caller only. */
  decideDeviceCode(userCodeId: UserCodeId, decision: DeviceCodeDecision): Promise<boolean>
  /** Deletes the code. Resolves with it for one caller only, and with `null` for all others. */
  consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null>
  /**
   * Deletes up to `limit` codes whose `expiresAt` lies before `before`; fewer than `limit` means that it is done. A
   * store whose codes expire by themselves resolves with 0.
   */
  deleteExpiredDeviceCodes(before: Date, limit: number): Promise<number>
}
