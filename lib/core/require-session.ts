import type { FastifyRequest } from 'fastify'
import { GoseshError } from './errors.js'

/**
 * A hook that answers 401 `GOSESH_ERR_UNAUTHENTICATED` to a request without a session. It fails closed: if gosesh is not
 * registered in the context of the route it answers 500 `GOSESH_ERR_NOT_REGISTERED`, where `app.requireSession` would be
 * `undefined` and so no hook at all.
 */
export async function requireSession(
  request: Partial<Pick<FastifyRequest, 'requireSession'>>,
): Promise<void> {
  if (request.requireSession === undefined) throw new GoseshError('GOSESH_ERR_NOT_REGISTERED')
  request.requireSession()
}
