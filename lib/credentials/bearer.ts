import type { FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import { checkLifetimes, checkObject } from '../core/validation.js'

export interface BearerCredentialOptions {
  /** Milliseconds without activity after which a session ends; `null`: no idle limit. Default: `null`. */
  readonly idleTimeout?: number | null | undefined
  /** Milliseconds after which a session ends whatever happens. Default: 30 days. */
  readonly absoluteTimeout?: number | undefined
}

const day = 86_400_000
/** RFC 6750, section 2.1; the scheme is case-insensitive (RFC 9110, section 11.1). */
const bearer = /^bearer +([\w-]{22}\.[\w-]{43})$/i

/** How often the request has the header; Node keeps only the first in `headers`. */
function countHeader(request: FastifyRequest, name: string): number {
  return request.raw.rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length
}

/**
 * The token in `Authorization: Bearer` (RFC 6750), for a client that keeps it itself. A request with two such
 * headers carries none. Throws `GOSESH_ERR_OPTION` on a wrong option.
 */
export function bearerCredential(options: BearerCredentialOptions = {}): Credential {
  const given = checkObject('bearerCredential', options, ['idleTimeout', 'absoluteTimeout'])
  const { idleTimeout, absoluteTimeout = 30 * day } = given
  return Object.freeze({
    name: 'bearer',
    header: 'Authorization',
    challenge: 'Bearer',
    ...checkLifetimes({ idleTimeout, absoluteTimeout }, null),
    read(request: FastifyRequest) {
      const { authorization } = request.headers
      if (authorization === undefined) return null
      const token = bearer.exec(authorization)?.[1] ?? null
      return token === null || countHeader(request, 'authorization') > 1 ? null : token
    },
  })
}
