// @ts-check
import Fastify from 'fastify'
import gosesh, { bearerCredential, cookieCredential, MemoryStore } from 'gosesh'
import { drainOnClose } from './drain.js'
import { apiRoutes } from './routes-api.js'
import { pageRoutes } from './routes-pages.js'
import { publicRoutes } from './routes-public.js'
import { requireSameOrigin } from './same-origin.js'

const minute = 60_000

const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
}

/**
 * @typedef {object} AppOptions
 * @property {import('fastify').FastifyServerOptions['logger']} [logger] Default: none.
 * @property {import('gosesh').SessionStore} [store] Default: a new `MemoryStore`.
 * @property {() => void} [closeStore] Called once the last activity is written. Default: nothing to close.
 */

/**
 * The application, not yet listening.
 *
 * @param {AppOptions} [options]
 */
export function buildApp({ logger = false, store = new MemoryStore(), closeStore = () => {} } = {}) {
  const app = Fastify({ logger })

  drainOnClose(app)
  // Before gosesh is registered, because hooks of this kind run in reverse order: the last flush comes first.
  app.addHook('onClose', async () => closeStore())
  app.addHook('onRequest', async (_request, reply) => void reply.headers(securityHeaders))
  app.addHook('onRequest', requireSameOrigin)
  app.register(gosesh, {
    store,
    // A stale cookie would shadow a valid bearer token, so bearer comes first.
    credentials: [bearerCredential(), cookieCredential({ idleTimeout: 5 * minute })],
    // Short, so that one can watch it.
    activityTracking: { flushInterval: 2_000 },
  })
  app.register(publicRoutes)
  app.register(pageRoutes)
  app.register(apiRoutes, { prefix: '/api' })
  return app
}
