// @ts-check

const required = { session: { required: true } }
const name = { type: 'string', maxLength: 60 }

/**
 * What a page of devices needs: the user's sessions, a name for each of them, and a way to end each of them.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export async function devices(app) {
  app.get('/devices', { config: required }, async (request) => {
    const { id: current, userId } = request.requireSession()
    const sessions = await app.gosesh.listUserSessions(userId)
    return sessions.map(({ id, createdAt, lastActivityAt, metadata }) => ({
      id,
      name: metadata?.deviceName ?? null,
      current: id === current,
      createdAt,
      lastActivityAt,
    }))
  })

  const schema = { body: { type: 'object', required: ['name'], properties: { name } } }
  app.patch('/devices/:id', { config: required, schema }, async (request, reply) => {
    const { id } = /** @type {{ id: string }} */ (request.params)
    const { name } = /** @type {{ name: string }} */ (request.body)
    // An id is no secret, so it says nothing about whose session it is.
    const { userId } = request.requireSession()
    const patch = { deviceName: name.trim() || null }
    if (!(await app.gosesh.updateMetadata(id, patch, { userId }))) return reply.callNotFound()
    return reply.code(204).send()
  })

  app.delete('/devices/:id', { config: required }, async (request, reply) => {
    const { id } = /** @type {{ id: string }} */ (request.params)
    const { userId } = request.requireSession()
    if (!(await app.gosesh.deleteSession(id, { userId }))) return reply.callNotFound()
    return reply.code(204).send()
  })
}
