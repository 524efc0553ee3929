// @ts-check

/**
 * The way to the provider and back for a session whose sign-in is too old for what its user wants to do. The session
 * stays: its id, what is kept with it, and how long its cookie lives.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, provider: { name: string } }} options
 */
export async function confirmRoutes(app, { profiles, provider }) {
  app.get('/confirm', { onRequest: app.redirectToSignIn() }, async (request, reply) => {
    const { next } = /** @type {{ next?: unknown }} */ (request.query)
    const { email } = profiles.get(request.requireSession().userId)
    return await reply.redirectToProvider(provider.name, {
      reauthenticate: true,
      // Whom the provider is to ask for the password.
      ...(email !== null && { loginHint: email }),
      // gosesh/oauth judges where it may lead.
      ...(typeof next === 'string' && { returnTo: next }),
    })
  })
}
