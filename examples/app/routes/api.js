// @ts-check
import { viewSession } from '../session-view.js'

const required = { config: { session: { required: true } } }

/**
 * The JSON API, for the command line's bearer token and for a browser's cookie alike.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles }} options
 */
export async function apiRoutes(app, { profiles }) {
  app.get('/me', required, async (request) => {
    const session = request.requireSession()
    return { id: session.userId, ...profiles.get(session.userId), session: viewSession(session, session) }
  })

  app.get('/sessions', required, async (request) => {
    const current = request.requireSession()
    const sessions = await app.gosesh.listUserSessions(current.userId)
    return sessions.map((session) => viewSession(session, current))
  })

  app.delete(
    '/sessions/:id',
    required,
    /** @param {import('fastify').FastifyRequest<{ Params: { id: string } }>} request */
    async (request, reply) => {
      const { userId } = request.requireSession()
      if (await app.gosesh.deleteSession(request.params.id, { userId })) return reply.code(204).send()
      return reply.code(404).send({ statusCode: 404, error: 'Not Found', message: 'No such session' })
    },
  )

  app.post('/sign-out', async (_request, reply) => {
    await reply.signOut()
    return reply.code(204).send()
  })

  // For an open page that wonders whether it is still signed in: asking must not keep the session alive.
  app.get('/session', { config: { session: { required: true, activity: false } } }, async (request) => ({
    userId: request.requireSession().userId,
  }))
}
