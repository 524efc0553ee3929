import type { FastifyReply } from 'fastify'

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

/** Says that the response depends on these request headers (RFC 9110, section 12.5.5). */
export function varyBy(reply: FastifyReply, headers: readonly string[]): void {
  const vary = headers.reduce(addToVary, textOf(reply.getHeader('vary')))
  if (vary !== '') reply.header('vary', vary)
}

/** Keeps the response out of every cache, whatever was said before (RFC 9111, section 5.2.2.5). */
export function forbidCaching(reply: FastifyReply): void {
  reply.header('cache-control', 'no-store')
}
