import { hash } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Session, SessionToken } from '../../../types/session.js'
import { GoseshError } from '../../core/errors.js'
import { internals } from '../../core/internals.js'
import { lifetimeOf } from '../../core/timing.js'
import { unverifiedError } from '../failure.js'
import { fieldsOf } from '../form.js'
import type { OAuthSettings } from '../options.js'
import { checkAuthTime } from '../providers/claims.js'
import type { OidcClient } from '../providers/clients.js'
import { identify } from '../providers/identity.js'
import { type LoggedOut, SeenTokens } from './seen-tokens.js'

/** What a client that keeps the token itself is told. */
interface TokenAnswer {
  readonly token: SessionToken
  readonly token_type: 'Bearer'
  readonly user_id: string
  /** Seconds up to the session's absolute deadline. */
  readonly expires_in: number
  readonly expires_at: string
}

function answer({ session, token }: { session: Session; token: SessionToken }): TokenAnswer {
  const { userId, absoluteDeadline } = session
  return {
    token,
    token_type: 'Bearer',
    user_id: userId,
    expires_in: Math.floor(lifetimeOf(session) / 1_000),
    expires_at: absoluteDeadline.toISOString(),
  }
}

/** `POST /:provider/token`: a session for an ID token that the application of a device got by itself. */
export function tokenRoutes(
  routes: FastifyInstance,
  settings: OAuthSettings,
  clients: readonly OidcClient[],
  loggedOut: LoggedOut,
): void {
  const seen = new SeenTokens(settings.clock)

  const exchange = async (
    { client, verifier }: OidcClient,
    request: FastifyRequest,
  ): Promise<TokenAnswer> => {
    routes[internals].refuseCrossOrigin(request, [settings.origin, ...routes.gosesh.policy.trustedOrigins])
    const { id_token: idToken, nonce } = fieldsOf(request.body)
    if (idToken === undefined) {
      throw new GoseshError('GOSESH_ERR_OAUTH_REQUEST', {
        message: 'Send the ID token as id_token; an access token does not say whom it was issued to',
      })
    }
    const claims = await verifier.verifyIdToken(idToken, nonce)
    const { maxAge } = client.provider
    // The app itself sent its user to the provider, at the earliest as long before as a sign-in may take.
    if (maxAge !== null) {
      checkAuthTime(claims.auth_time, claims.iat * 1_000 - settings.transactionTimeout - maxAge)
    }
    if (loggedOut.has(claims)) throw unverifiedError('the provider signed its user out')
    // Without the signature, of which there may be more than one for the same content.
    const key = hash('sha256', idToken.slice(0, idToken.lastIndexOf('.')))
    if (!seen.add(key)) throw unverifiedError('the ID token was used before')
    try {
      const signIn = client.signIn(claims, { claims, tokens: { id_token: idToken } })
      const { userId, options } = await identify(signIn, request, settings, routes)
      return answer(await routes.gosesh.createSession(userId, options))
    } catch (error) {
      seen.forget(key)
      throw error
    }
  }
  for (const openId of clients) {
    const { name, provider } = openId.client
    if (!provider.idTokenExchange) continue
    routes.post(`/${name}/token`, { config: { session: false } }, (request) => exchange(openId, request))
  }
}
