import type { FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { SessionToken } from '../../types/session.js'
import { isSessionToken } from '../core/token.js'

/** A token that a request carries, and where. */
export interface Presented {
  readonly credential: Credential
  readonly token: SessionToken
}

/** What this credential finds in the request, if it is shaped like a token. */
export function readToken(credential: Credential, request: FastifyRequest): SessionToken | null {
  const value = credential.read(request)
  return isSessionToken(value) ? value : null
}

/** The first credential that finds a well-formed token wins. */
export function resolveCredential(
  credentials: readonly Credential[],
  request: FastifyRequest,
): Presented | null {
  for (const credential of credentials) {
    const token = readToken(credential, request)
    if (token !== null) return { credential, token }
  }
  return null
}
