import { hash, randomBytes } from 'node:crypto'
import type { SessionId, SessionToken } from '../../types/session.js'

/** 32 bytes in base64url; a token and an id have the same shape. */
const shape = /^[\w-]{43}$/

/** A new session token: 256 random bits (OWASP ASVS 7.2.3 asks for 128). */
export function createToken(): SessionToken {
  return randomBytes(32).toString('base64url') as SessionToken
}

/** True if `value` is shaped like a session token. */
export function isSessionToken(value: unknown): value is SessionToken {
  return typeof value === 'string' && shape.test(value)
}

/** True if `value` is shaped like a session id. */
export function isSessionId(value: unknown): value is SessionId {
  return typeof value === 'string' && shape.test(value)
}

/** The id under which the session of a token is kept: its SHA-256, base64url. */
export function sessionIdOf(token: SessionToken): SessionId {
  return hash('sha256', token, 'base64url') as SessionId
}
