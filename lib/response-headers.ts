import type { FastifyReply, FastifyRequest } from 'fastify'
import { replyState } from './reply.js'
import { verifiedBy } from './request.js'

/** `vary` with `header` added, unless it is there. */
function addToVary(vary: string, header: string): string {
  if (vary === '') return header
  const names = vary.split(',').map((name) => name.trim().toLowerCase())
  if (names.includes('*') || names.includes(header.toLowerCase())) return vary
  return `${vary}, ${header}`
}

function textOf(header: ReturnType<FastifyReply['getHeader']>): string {
  return header === undefined ? '' : [header].flat().join(', ')
}

/**
 * The `onSend` hook: a response that shows or changes a session is for nobody else's cache (OWASP ASVS 14.3.2,
 * RFC 9111).
 */
export function addCacheHeaders(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: Error | null, payload: unknown) => void,
): void {
  const credential = request[verifiedBy]
  const changed = reply[replyState]?.credentials
  if (credential || changed !== undefined) {
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
    let vary = textOf(reply.getHeader('vary'))
    if (credential) vary = addToVary(vary, credential.header)
    if (changed !== undefined) for (const { header } of changed) vary = addToVary(vary, header)
    if (vary !== '') reply.header('vary', vary)
  }
  done(null, payload)
}
