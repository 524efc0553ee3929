import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { SessionId } from '../../types/session.js'

/** What a value is good for. The purpose is signed too, so that none passes for another. */
export type SignedFor = 'registration' | 'refresh' | 'proof'

/** Why a signed value is no good. */
export type Flaw = 'malformed' | 'forged' | 'expired'

export interface SignedValue {
  readonly id: SessionId
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** Milliseconds by which the clock of the node that signed may be ahead of this one's. */
const clockSkew = 60_000
const shape = /^([\w-]{22})\.([\da-z]{1,9})\.([\w-]{43})$/

/**
 * Values that only a node with the secret can make: a session id, a time, and an HMAC (RFC 2104, SHA-256) over both and the
 * purpose. Checking one reads nothing from the store.
 */
export class SignedValues {
  readonly #keys: readonly KeyObject[]

  constructor(secrets: readonly Buffer[]) {
    this.#keys = secrets.map((secret) => createSecretKey(secret))
  }

  sign(purpose: SignedFor, id: SessionId, at: number): string {
    const time = at.toString(36)
    return `${id}.${time}.${mac(this.#keys[0] as KeyObject, purpose, id, time).toString('base64url')}`
  }

  /** What was signed, at most `lifetime` milliseconds ago; else why it is no good. */
  verify(purpose: SignedFor, value: string, now: number, lifetime: number): SignedValue | Flaw {
    const [, id, time, signature] = shape.exec(value) ?? []
    if (id === undefined || time === undefined || signature === undefined) return 'malformed'
    const given = Buffer.from(signature, 'base64url')
    if (!this.#keys.some((key) => timingSafeEqual(mac(key, purpose, id, time), given))) return 'forged'
    const at = Number.parseInt(time, 36)
    return now - at < lifetime && at - now < clockSkew ? { id: id as SessionId, at } : 'expired'
  }
}

function mac(key: KeyObject, purpose: SignedFor, id: string, time: string): Buffer {
  return createHmac('sha256', key).update(['gosesh:device', purpose, id, time].join(':')).digest()
}
