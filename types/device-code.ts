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
