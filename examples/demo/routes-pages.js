// @ts-check
import formbody from '@fastify/formbody'
import { describeClient } from './client.js'
import { errorPage, sessionPage, signInPage } from './pages.js'
import { viewActivity, viewSession } from './session-view.js'
import { nameOf, signInBody } from './users.js'

/** @typedef {import('./users.js').SignInBody} SignInBody */

const required = { config: { session: { required: true } } }
const endedQuery = { type: 'object', properties: { ended: { type: 'string' } } }

/**
 * @param {import('fastify').FastifyReply} reply
 * @param {import('./html.js').Html} page
 */
function sendPage(reply, page) {
  return reply.type('text/html; charset=utf-8').send(page.toString())
}

/**
 * A page that needs a session sends an anonymous visitor to the sign-in page. An outage of the store is no reason to:
 * the visitor is still signed in, and is told to try again.
 *
 * @param {import('fastify').FastifyError} error
 * @param {import('fastify').FastifyRequest} request
 * @param {import('fastify').FastifyReply} reply
 */
function handleError(error, request, reply) {
  if (error.code === 'GOSESH_ERR_UNAUTHENTICATED') return reply.redirect('/sign-in', 303)
  const statusCode = error.statusCode ?? 500
  if (statusCode >= 500) request.log.error({ err: error }, 'page failed')
  return sendPage(reply.code(statusCode), errorPage(statusCode))
}

/**
 * The pages of the browser. Every change is a POST from a form, answered with a redirect.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export async function pageRoutes(app) {
  // Registered here, so that the API takes JSON and nothing else.
  app.register(formbody)
  app.setErrorHandler(handleError)

  app.get('/', required, async (request, reply) => {
    const asked = request.requireSession()
    const sessions = await app.gosesh.listUserSessions(asked.userId)
    // The list already has the activity of this very request.
    const current = sessions.find((session) => session.id === asked.id) ?? asked
    const page = sessionPage({
      userName: nameOf(current.userId),
      now: new Date(),
      current: viewSession(current, current),
      sessions: sessions.map((session) => viewSession(session, current)),
      activity: viewActivity(app),
    })
    return sendPage(reply, page)
  })

  app.get(
    '/sign-in',
    { schema: { querystring: endedQuery } },
    /** @param {import('fastify').FastifyRequest<{ Querystring: { ended?: string } }>} request */
    async (request, reply) => {
      if (request.session !== null) return reply.redirect('/', 303)
      return sendPage(reply, signInPage({ ended: request.query.ended !== undefined }))
    },
  )

  app.post(
    '/sign-in',
    { schema: { body: signInBody } },
    /** @param {import('fastify').FastifyRequest<{ Body: SignInBody }>} request */
    async (request, reply) => {
      await reply.signIn(request.body.user, {
        metadata: { client: describeClient(request.headers['user-agent']) },
      })
      return reply.redirect('/', 303)
    },
  )

  app.post('/sign-out', async (_request, reply) => {
    await reply.signOut()
    return reply.redirect('/sign-in', 303)
  })

  app.post(
    '/sessions/:id/sign-out',
    required,
    /** @param {import('fastify').FastifyRequest<{ Params: { id: string } }>} request */
    async (request, reply) => {
      const { userId } = request.requireSession()
      // Whether it was there does not matter to somebody who wants it gone.
      await app.gosesh.deleteSession(request.params.id, { userId })
      return reply.redirect('/', 303)
    },
  )

  app.post('/sign-out-everywhere-else', required, async (request, reply) => {
    const { id, userId } = request.requireSession()
    await app.gosesh.deleteUserSessions(userId, { except: id })
    return reply.redirect('/', 303)
  })
}
