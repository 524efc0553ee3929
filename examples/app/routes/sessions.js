// @ts-check

const required = { config: { session: { required: true } } }

/**
 * What the buttons of the account page do. Every change is a POST from a form, answered with a redirect; gosesh refuses
 * those that a page of another origin sends.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export async function sessionRoutes(app) {
  app.post(
    '/sessions/:id/sign-out',
    required,
    /** @param {import('fastify').FastifyRequest<{ Params: { id: string } }>} request */
    async (request, reply) => {
      const { id, userId } = request.requireSession()
      if (request.params.id === id) {
        await reply.signOut()
        return reply.redirect('/signed-out', 303)
      }
      // Whether it was there does not matter to somebody who wants it gone.
      await app.gosesh.deleteSession(request.params.id, { userId })
      return reply.redirect('/account?done=one', 303)
    },
  )

  app.post('/sign-out-others', required, async (request, reply) => {
    const { id, userId } = request.requireSession()
    await app.gosesh.deleteUserSessions(userId, { except: id })
    return reply.redirect('/account?done=others', 303)
  })

  app.post('/sign-out-everywhere', required, async (_request, reply) => {
    await reply.signOut({ everywhere: true })
    return reply.redirect('/signed-out', 303)
  })
}
