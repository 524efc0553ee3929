import type { Credential } from '../../types/credential.js'

/** The credential that verified the request, or `null`. */
export const verifiedBy = Symbol('gosesh.verifiedBy')

/** True if the session of the request was found in memory, with the option `sessionCache`. */
export const fromCache = Symbol('gosesh.fromCache')

declare module 'fastify' {
  interface FastifyRequest {
    [verifiedBy]: Credential | null
    [fromCache]?: boolean
  }
}

/** True if browsers send the credential by themselves, for other sites' pages too. */
export function isAmbient(credential: Credential): boolean {
  return credential.ambient ?? credential.header.toLowerCase() === 'cookie'
}
