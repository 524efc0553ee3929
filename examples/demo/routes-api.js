// @ts-check
import { describeClient } from './client.js'
import { viewActivity, viewSession } from './session-view.js'
import { nameOf, signInBody } from './users.js'

/** @typedef {import('./users.js').SignInBody} SignInBody */

const required = { config: { session: { required: true } } }
const requiredPassive = { config: { session: { required: true, activity: false } } }

/**
 * The JSON API, for a cookie and for a bearer token alike.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export async function apiRoutes(app) {
  app.post(
    '/login',
    { schema: { body: signInBody } },
    /** @param {import('fastify').FastifyRequest<{ Body: SignInBody }>} request */
    async (request, reply) => {
      const session = await reply.signIn(request.body.user, {
        metadata: { client: describeClient(request.headers['user-agent']) },
      })
      return { user: session.userId, session: viewSession(session, session) }
    },
  )

  app.post(
    '/token',
    { schema: { body: signInBody } },
    /** @param {import('fastify').FastifyRequest<{ Body: SignInBody }>} request */
    async (request, reply) => {
      const { session, token } = await app.gosesh.createSession(request.body.user, {
        metadata: { client: `${describeClient(request.headers['user-agent'])}, by token` },
      })
      reply.header('cache-control', 'no-store')
      return { token, session: viewSession(session, session) }
    },
  )

  app.get('/me', required, async (request) => {
    const session = request.requireSession()
    return { user: session.userId, name: nameOf(session.userId), session: viewSession(session, session) }
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
      const { id, userId } = request.requireSession()
      if (request.params.id === id) await reply.signOut()
      else if (!(await app.gosesh.deleteSession(request.params.id, { userId }))) {
        return reply.code(404).send({ statusCode: 404, error: 'Not Found', message: 'No such session' })
      }
      return reply.code(204).send()
    },
  )

  app.post('/logout', async (_request, reply) => {
    await reply.signOut()
    return reply.code(204).send()
  })

  app.post('/logout-everywhere-else', required, async (request) => {
    const { id, userId } = request.requireSession()
    return { signedOut: await app.gosesh.deleteUserSessions(userId, { except: id }) }
  })

  // Watching a session does not keep it alive.
  app.get('/watch', requiredPassive, async (request) => {
    const session = request.requireSession()
    return { now: new Date(), session: viewSession(session, session), activity: viewActivity(app) }
  })
}
