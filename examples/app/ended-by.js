// @ts-check
import { AsyncLocalStorage } from 'node:async_hooks'

/** @typedef {'expired' | 'here' | 'elsewhere' | 'provider' | 'unknown'} EndedBy */

/**
 * Tells who ended a session: gosesh says that it was signed out, and the request under way says from where.
 *
 * @param {import('fastify').FastifyInstance} app
 * @returns {(end: import('gosesh').SessionEnd, session: import('gosesh').Session) => EndedBy} To be called by a listener
 *   of `onSessionEnd`.
 */
export function watchEnds(app) {
  /** @type {AsyncLocalStorage<import('fastify').FastifyRequest>} */
  const requests = new AsyncLocalStorage()
  app.addHook('preHandler', (request, _reply, done) => requests.run(request, done))

  return ({ reason }, { id, userId }) => {
    if (reason === 'expired') return 'expired'
    const request = requests.getStore()
    if (request === undefined) return 'unknown'
    if (request.url.endsWith('/backchannel-logout')) return 'provider'
    const acting = request.session
    if (acting?.userId !== userId) return 'unknown'
    return acting.id === id ? 'here' : 'elsewhere'
  }
}
