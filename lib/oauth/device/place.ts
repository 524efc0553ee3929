import type { FastifyRequest } from 'fastify'
import type { DeviceAuthorizationOptions } from '../../../types/oauth.js'

/** Characters. */
const maxLength = 100

/** The address, in one way of writing it: a socket for both families shows those of IPv4 as IPv6. */
function addressOf({ ip }: FastifyRequest): string {
  return ip.replace(/^::ffff:(?=\d+\.)/, '')
}

/** The option `place`, whose answer becomes one short line that stores can keep; `null` for nothing. */
export function placeOf(
  ask: NonNullable<DeviceAuthorizationOptions['place']> = addressOf,
): (request: FastifyRequest) => Promise<string | null> {
  return async (request) => {
    const text = (await ask(request)) ?? ''
    const line = text.replace(/\p{Cc}+/gu, ' ').trim()
    return line === '' ? null : line.slice(0, maxLength).toWellFormed()
  }
}
