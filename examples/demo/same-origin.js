// @ts-check

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
const foreign = new Set(['cross-site', 'same-site'])

/**
 * An `onRequest` hook: refuses a change that a page of another origin asks for. `SameSite=Lax` stops other sites; to it,
 * a sibling subdomain, or another port of this machine, is the same site.
 *
 * @param {import('fastify').FastifyRequest} request
 */
export async function requireSameOrigin(request) {
  const site = request.headers['sec-fetch-site']
  if (safeMethods.has(request.method) || typeof site !== 'string' || !foreign.has(site)) return
  throw Object.assign(new Error('The request comes from another origin'), { statusCode: 403 })
}
