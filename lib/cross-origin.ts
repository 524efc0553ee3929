import type { FastifyRequest } from 'fastify'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Whether the origin names the host that the request was sent to, by the scheme that it came over. */
function isOwnOrigin(origin: string, request: FastifyRequest): boolean {
  return origin.toLowerCase() === `${request.protocol}://${request.host}`.toLowerCase()
}

/**
 * Whether a browser sent the request, of an unsafe method, from a page of another origin: by `Sec-Fetch-Site`, and by
 * `Origin` where a browser does not send that. A client that sends neither header is no browser.
 */
export function isCrossOrigin(request: FastifyRequest): boolean {
  if (safeMethods.has(request.method)) return false
  const site = request.headers['sec-fetch-site']
  if (site !== undefined) return site === 'cross-site' || site === 'same-site'
  const { origin } = request.headers
  return origin !== undefined && !isOwnOrigin(origin, request)
}
