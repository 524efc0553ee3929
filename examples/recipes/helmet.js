// @ts-check
import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'

/**
 * Headers that keep a page with a session to itself. Register it before gosesh, so that a 401 has them too. A form may
 * be sent to the application alone, and may lead on to the origins in `formTargets`, such as an identity provider's.
 *
 * @type {import('fastify').FastifyPluginAsync<{ formTargets?: readonly string[] }>}
 */
const plugin = async (app, { formTargets = [] }) => {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        // Nobody can lay the page under a button of their own.
        frameAncestors: ["'none'"],
        // A redirect after a form counts too.
        formAction: ["'self'", ...formTargets],
      },
    },
    // With helmet's default, no-referrer, browsers send `Origin: null` with forms, which is nobody's own origin.
    referrerPolicy: { policy: 'same-origin' },
  })
}

export const securityHeaders = fp(plugin)
