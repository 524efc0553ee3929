import type { FastifyRequest } from 'fastify'
import { GoseshError } from '../errors.js'

/**
 * Throws `GOSESH_ERR_CROSS_ORIGIN` for a request that a browser sent from a page of an origin that is not listed. A
 * client that sends neither `Sec-Fetch-Site` nor `Origin` is no browser.
 */
export function refuseCrossOrigin(request: FastifyRequest, origins: readonly string[]): void {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (site === 'same-origin' || site === 'none') return
  if (site === undefined && origin === undefined) return
  if (origin !== undefined && origins.includes(origin)) return
  throw new GoseshError('GOSESH_ERR_CROSS_ORIGIN')
}
