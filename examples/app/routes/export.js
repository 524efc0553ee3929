// @ts-check
import { viewSession } from '../session-view.js'

/**
 * What the application knows of its user, as a file: only for a session that is bound to its device, so that no copied cookie
 * gets at it (`errors.js` says so to the others).
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, notes: import('../notes.js').Notes }} options
 */
export async function exportRoutes(app, { profiles, notes }) {
  app.get('/export', { config: { session: { deviceBound: true } } }, async (request, reply) => {
    const current = request.requireSession()
    const sessions = await app.gosesh.listUserSessions(current.userId)
    reply.header('content-disposition', 'attachment; filename="account.json"')
    return {
      ...profiles.get(current.userId),
      note: notes.get(current.userId),
      sessions: sessions.map((session) => viewSession(session, current)),
    }
  })
}
