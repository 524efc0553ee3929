// @ts-check
import { viewerOf } from '../viewer.js'
import { errorPage, notFoundPage } from '../views/notices.js'
import { sendPage } from '../views/send-page.js'

/** @param {import('fastify').FastifyRequest} request */
function isApi({ url }) {
  return url.startsWith('/api/') || url.startsWith('/socket')
}

/**
 * Errors of pages are pages; those of the API stay JSON. A page that needs a session leads to signing in. An outage of
 * the store does not: the visitor is still signed in, and is told to try again.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles }} options
 */
export function handleErrors(app, { profiles }) {
  app.setErrorHandler(
    /** @param {import('fastify').FastifyError} error */
    (error, request, reply) => {
      if (isApi(request)) return reply.send(error)
      if (error.code === 'GOSESH_ERR_UNAUTHENTICATED') return reply.redirect('/signed-out?ended', 303)
      const statusCode = error.statusCode ?? 500
      if (statusCode >= 500) request.log.error({ err: error }, 'a page failed')
      return sendPage(reply.code(statusCode), errorPage(statusCode, viewerOf(profiles, request)))
    },
  )
  app.setNotFoundHandler((request, reply) => {
    if (isApi(request)) {
      return reply.code(404).send({ statusCode: 404, error: 'Not Found', message: 'No such route' })
    }
    return sendPage(reply.code(404), notFoundPage(viewerOf(profiles, request)))
  })
}
