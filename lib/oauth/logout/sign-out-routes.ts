import type { FastifyInstance, FastifyReply } from 'fastify'
import type { SignOutOfProviderOptions } from '../../../types/oauth.js'
import { internals, sessionOf } from '../../core/internals.js'
import { checkObject, checkText } from '../../core/validation.js'
import type { OAuthSettings } from '../options.js'
import type { Clients } from '../providers/clients.js'

/** `reply.signOutOfProvider`. OpenID Connect RP-Initiated Logout 1.0. */
export async function signOutOfProvider(
  reply: FastifyReply,
  options: SignOutOfProviderOptions,
  { origin, signOutPage }: Pick<OAuthSettings, 'origin' | 'signOutPage'>,
  clients: Clients,
): Promise<string> {
  const { idTokenHint } = checkObject('signOutOfProvider', options, ['idTokenHint'])
  const { request } = reply
  const page = new URL(signOutPage, origin).href
  const parameters: Record<string, string> = { post_logout_redirect_uri: page }
  if (idTokenHint !== undefined) {
    parameters.id_token_hint = checkText('signOutOfProvider.idTokenHint', idTokenHint, 'an ID token')
  }
  const client = clients.byName(sessionOf(request)?.metadata?.provider)
  await reply.signOut()
  if (client === null) return page
  try {
    return (await client.endSessionUrl(parameters)) ?? page
  } catch (error) {
    request.log.warn(
      { err: error, provider: client.name },
      'signed out here, and the provider cannot be reached',
    )
    return page
  }
}

/** `POST /sign-out`, with `?provider` at the provider too. */
export function signOutRoutes(routes: FastifyInstance, settings: OAuthSettings): void {
  routes.post<{ Querystring: { provider?: unknown } }>('/sign-out', async (request, reply) => {
    routes[internals].refuseCrossOrigin(request, [settings.origin, ...routes.gosesh.policy.trustedOrigins])
    if (request.query.provider !== undefined) return reply.redirect(await reply.signOutOfProvider(), 303)
    await reply.signOut()
    return reply.redirect(new URL(settings.signOutPage, settings.origin).href, 303)
  })
}
