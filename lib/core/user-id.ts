import { hash } from 'node:crypto'

/**
 * The user id that a store gives to an auth provider id: 128 bits and more of its SHA-256, base64url, 22 characters.
 * It is derived, so that no restart, lost store or change of store ever gives it to somebody else.
 */
export function userIdOf(authProviderId: string): string {
  return hash('sha256', authProviderId, 'base64url').slice(0, 22)
}
