// @ts-check
import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import fp from 'fastify-plugin'

/**
 * The session's id; with `decorateAs` the session is not at `request.session`.
 *
 * @param {import('fastify').FastifyRequest} request
 * @returns {string | undefined}
 */
const sessionIdOf = (request) => Reflect.get(request, request.server.gosesh.policy.decorateAs)?.id

/**
 * Two limits: one for each address, before a session is looked for, and one for each session. Register it before
 * gosesh, so that the first spares the store what is past it. The numbers are requests within `timeWindow` milliseconds.
 *
 * @type {import('fastify').FastifyPluginAsync<{ perAddress?: number, perSession?: number, timeWindow?: number }>}
 */
const plugin = async (app, { perAddress = 600, perSession = 120, timeWindow = 60_000 }) => {
  // Its hook is one of each route, and those run after the hooks of the instance: the session is known by then.
  await app.register(rateLimit, {
    max: perSession,
    timeWindow,
    keyGenerator: (request) => sessionIdOf(request) ?? request.ip,
    allowList: (request) => sessionIdOf(request) === undefined,
  })

  const limitAddress = app.createRateLimit({
    max: perAddress,
    timeWindow,
    keyGenerator: ({ ip }) => normalizeIP(ip),
    allowList: [],
  })
  app.addHook('onRequest', async (request, reply) => {
    const limit = await limitAddress(request)
    if (limit.isAllowed || !limit.isExceeded) return
    reply.header('retry-after', limit.ttlInSeconds)
    throw Object.assign(new Error('Too many requests from this address'), { statusCode: 429 })
  })
}

export const rateLimits = fp(plugin)
