// @ts-check
import oauth2 from '@fastify/oauth2'

/**
 * Signs in with an OpenID provider by @fastify/oauth2: `GET /auth/acme` begins it. Register it after gosesh.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ origin: string, issuer: string, clientId: string, clientSecret: string }} options
 */
export async function signInWithAcme(app, { origin, issuer, clientId, clientSecret }) {
  await app.register(oauth2, {
    name: 'oauth2Acme',
    discovery: { issuer },
    credentials: { client: { id: clientId, secret: clientSecret } },
    scope: ['openid', 'email'],
    pkce: 'S256',
    startRedirectPath: '/auth/acme',
    callbackUri: `${origin}/auth/acme/callback`,
    hostPrefixedCookies: true,
  })

  /** @type {(request: import('fastify').FastifyRequest, reply: import('fastify').FastifyReply) => Promise<string>} */
  const subjectOf = async (request, reply) => {
    const acme = /** @type {import('@fastify/oauth2').OAuth2Namespace} */ (app.oauth2Acme)
    const { token } = await acme.getAccessTokenFromAuthorizationCodeFlow(request, reply)
    // @fastify/oauth2 does not verify ID tokens: ask the provider instead, with the token that it just gave us.
    const { sub } = /** @type {{ sub?: unknown }} */ (await acme.userinfo(token))
    if (typeof sub !== 'string' || sub === '') throw new Error('The provider did not say who it is')
    return sub
  }

  app.get('/auth/acme/callback', async (request, reply) => {
    const subject = await subjectOf(request, reply).catch((cause) => {
      throw Object.assign(new Error('The sign-in did not work; start again', { cause }), { statusCode: 400 })
    })
    // The subject never passes to somebody else, as an email address may.
    await reply.signIn(await app.gosesh.upsertUser(`acme|${subject}`))
    return reply.redirect('/')
  })
}
