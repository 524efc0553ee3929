import type { FastifyReply, FastifyRequest } from 'fastify'
import { GoseshError } from '../core/errors.js'
import { verifiedBy } from '../core/verified-by.js'
import { forbidCaching, varyBy } from './cache-headers.js'
import { replyState } from './reply-state.js'

/** Set on a reply that answers with an error of gosesh. */
export const refused = Symbol('gosesh.refused')

declare module 'fastify' {
  interface FastifyReply {
    [refused]: boolean
  }
}

/** The `onError` hook. It runs before any error handler, so it also marks an answer that the application writes. */
export function noteRefusal(
  _request: FastifyRequest,
  reply: FastifyReply,
  error: Error,
  done: () => void,
): void {
  if (error instanceof GoseshError) reply[refused] = true
  done()
}

/**
 * The `onSend` hook: a response that shows or changes a session is for nobody else's cache (OWASP ASVS 14.3.2,
 * RFC 9111). What it may say of caching itself it may not if a credential was written or the request was refused: a
 * default of the application, such as `public`, would hand one user's cookie to the next.
 */
export function addCacheHeaders(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: Error | null, payload: unknown) => void,
): void {
  const credential = request[verifiedBy]
  const changed = reply[replyState]?.credentials
  const mustNotBeStored = changed !== undefined || reply[refused]
  if (credential || mustNotBeStored) {
    if (mustNotBeStored || !reply.hasHeader('cache-control')) forbidCaching(reply)
    const headers = changed === undefined ? [] : [...changed].map(({ header }) => header)
    varyBy(reply, credential ? [credential.header, ...headers] : headers)
  }
  done(null, payload)
}
