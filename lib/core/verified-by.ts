import type { Credential } from '../../types/credential.js'

/** The credential that verified the request, or `null`. */
export const verifiedBy = Symbol('gosesh.verifiedBy')

declare module 'fastify' {
  interface FastifyRequest {
    [verifiedBy]: Credential | null
  }
}

/** True if browsers send the credential by themselves, for other sites' pages too. */
export function isAmbient(credential: Credential): boolean {
  return credential.ambient ?? credential.header.toLowerCase() === 'cookie'
}
