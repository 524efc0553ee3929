// @ts-check
import swagger from '@fastify/swagger'
import fp from 'fastify-plugin'
import gosesh, { bearerCredential, cookieCredential, openApiSecuritySchemes } from 'gosesh'

/**
 * Sessions, and the OpenAPI document of the application at `GET /openapi.json`. A route with `session.required` is
 * described as one that takes any of the credentials. Register it before the routes.
 *
 * @type {import('fastify').FastifyPluginAsync<import('gosesh').GoseshOptions>}
 */
const plugin = async (app, options) => {
  const credentials = options.credentials ?? [bearerCredential(), cookieCredential()]
  const securitySchemes = openApiSecuritySchemes(credentials)
  /** One of these will do. */
  const security = Object.keys(securitySchemes).map((name) => ({ [name]: [] }))

  await app.register(gosesh, { ...options, credentials })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'The application', version: '1.0.0' },
      components: { securitySchemes },
    },
    transform({ schema, url, route }) {
      const session = route.config?.session
      const required = typeof session === 'object' && session.required
      return { schema: required ? { ...schema, security } : schema, url }
    },
  })
  app.get('/openapi.json', { config: { session: false }, schema: { hide: true } }, async () => app.swagger())
}

export const sessionsWithApiDocument = fp(plugin)
