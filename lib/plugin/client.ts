import type { FastifyRequest } from 'fastify'

/** Who sent the request, as far as that can be told. */
export function clientOf({ ip, headers }: FastifyRequest): { address: string; userAgent: string | null } {
  // With `trustProxy` the address is what a header says.
  return {
    address: ip.slice(0, maxAddress),
    userAgent: headers['user-agent']?.slice(0, maxUserAgent) ?? null,
  }
}

const maxUserAgent = 500
const maxAddress = 100
