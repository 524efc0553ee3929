// @ts-check
import csrfProtection from '@fastify/csrf-protection'
import fp from 'fastify-plugin'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * Whose a token is: one that was given to a session, or to nobody yet, is no good for another session. With `decorateAs` the
 * session is not at `request.session`.
 *
 * @param {import('fastify').FastifyRequest} request
 * @returns {string}
 */
const ownerOf = (request) => Reflect.get(request, request.server.gosesh.policy.decorateAs)?.id ?? 'nobody'

/**
 * Wants a token with every POST and the like, in a header (`csrf-token`) or a field of the form (`_csrf`). A page gets
 * it from `GET /csrf-token`, and a new one after sign-in. Register it after gosesh.
 *
 * @type {import('fastify').FastifyPluginAsync<{ secret: string }>}
 */
const plugin = async (app, { secret }) => {
  await app.register(csrfProtection, {
    cookieKey: '__Host-csrf',
    cookieOpts: { path: '/', secure: true, httpOnly: true, sameSite: 'strict' },
    csrfOpts: { hmacKey: secret, userInfo: true },
    getUserInfo: ownerOf,
  })

  // Once the body is there, for the field of a form.
  app.addHook('preValidation', (request, reply, done) => {
    // A browser never sends a bearer token by itself, so no other site can have it sent.
    const byBearer = /^bearer /i.test(request.headers.authorization ?? '')
    if (safeMethods.has(request.method) || byBearer) return done()
    app.csrfProtection(request, reply, done)
  })

  app.get('/csrf-token', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    return { token: reply.generateCsrf({ userInfo: ownerOf(request) }) }
  })
}

export const csrf = fp(plugin)
