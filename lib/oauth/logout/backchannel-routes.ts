import type { FastifyInstance, FastifyRequest } from 'fastify'
import { requireCapability } from '../../core/capabilities.js'
import { unverifiedError } from '../failure.js'
import { fieldsOf } from '../form.js'
import type { OAuthSettings } from '../options.js'
import type { OidcClient } from '../providers/clients.js'
import { withoutSid } from '../providers/identity.js'
import type { LogoutToken } from '../providers/jwt-verifier.js'
import { type LoggedOut, SeenTokens } from '../token/seen-tokens.js'

/** Throws `GOSESH_ERR_STORE_CAPABILITY`. */
export function requireSessionsDeleter(app: FastifyInstance): void {
  requireCapability(app.gosesh.store, 'deleteSessionsByMetadata', 'The option backchannelLogout')
}

/** `POST /:provider/backchannel-logout`. OpenID Connect Back-Channel Logout 1.0. */
export function backchannelRoutes(
  routes: FastifyInstance,
  { clock }: Pick<OAuthSettings, 'clock'>,
  clients: readonly OidcClient[],
  loggedOut: LoggedOut,
): void {
  const seen = new SeenTokens(clock)

  const endSessions = async (token: LogoutToken): Promise<number> => {
    const { iss, sub, sid } = token
    const pairs: Record<string, string> = { oidc_iss: iss }
    if (sub !== undefined) pairs.oidc_sub = sub
    if (sid === undefined) return await routes.gosesh.deleteSessionsByMetadata(pairs)
    const deleted = await routes.gosesh.deleteSessionsByMetadata({ ...pairs, oidc_sid: sid })
    if (sub === undefined) return deleted
    return deleted + (await routes.gosesh.deleteSessionsByMetadata({ ...pairs, ...withoutSid }))
  }

  const logout = async ({ verifier }: OidcClient, request: FastifyRequest): Promise<number> => {
    const { logout_token: text } = fieldsOf(request.body)
    if (text === undefined) throw unverifiedError('there is no logout_token')
    const token = await verifier.verifyLogoutToken(text)
    const key = `${token.iss}\n${token.jti}`
    if (!seen.add(key)) throw unverifiedError('the logout token was used before')
    // Before the sessions end, so that none begins meanwhile.
    loggedOut.add(token)
    try {
      return await endSessions(token)
    } catch (error) {
      seen.forget(key)
      throw error
    }
  }

  for (const openId of clients) {
    const { name: provider } = openId.client
    const path = `/${provider}/backchannel-logout`
    routes.post(path, { config: { session: false } }, async (request, reply) => {
      try {
        const deletedCount = await logout(openId, request)
        request.log.info({ provider, deletedCount }, 'signed out by the provider')
        return reply.send()
      } catch (error) {
        // Section 2.8 knows this one status, even if the logout failed.
        request.log.warn({ err: error, provider }, 'a logout token was refused, or could not be obeyed')
        return reply.code(400).send({ error: 'invalid_request' })
      }
    })
  }
}
