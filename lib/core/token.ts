import { hash, randomBytes } from 'node:crypto'
import type { SessionId, SessionToken } from '../../types/session.js'

/** 16 bytes in base64url. */
const idLength = 22
const idShape = /^[\w-]{22}$/
/** 32 bytes in base64url. */
const secretShape = /^[\w-]{43}$/
const tokenShape = /^[\w-]{22}\.[\w-]{43}$/

/** A new session id: 128 random bits. It is no secret, and never given twice. */
export function createSessionId(): SessionId {
  return randomBytes(16).toString('base64url') as SessionId
}

/** A new secret: 256 random bits (OWASP ASVS 7.2.3 asks for 128). */
export function createSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What the client of a session presents. The dot is allowed in a cookie's value and in a bearer token (RFC 6750). */
export function tokenOf(id: SessionId, secret: string): SessionToken {
  return `${id}.${secret}` as SessionToken
}

/** True if `value` is shaped like a secret. */
export function isSecret(value: unknown): value is string {
  return typeof value === 'string' && secretShape.test(value)
}

/** True if `value` is shaped like a session token. */
export function isSessionToken(value: unknown): value is SessionToken {
  return typeof value === 'string' && tokenShape.test(value)
}

/** True if `value` is shaped like a session id. */
export function isSessionId(value: unknown): value is SessionId {
  return typeof value === 'string' && idShape.test(value)
}

/** The id in a token. It says which session is meant; only the secret shows that the session is the client's. */
export function sessionIdOf(token: SessionToken): SessionId {
  return token.slice(0, idLength) as SessionId
}

/** What a secret is good for: the purpose is hashed too, so that a visitor's token signs nobody in. */
export type Purpose = 'session' | 'visitor'

/** The hash of the secret in a token: what a store knows of it. */
export function secretHashOf(token: SessionToken, purpose: Purpose = 'session'): string {
  return hashSecret(token.slice(idLength + 1), purpose)
}

/** SHA-256, base64url. */
export function hashSecret(secret: string, purpose: Purpose = 'session'): string {
  return hash('sha256', `${purpose}:${secret}`, 'base64url')
}
