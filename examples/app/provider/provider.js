// @ts-check
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'
import { serveFile } from '../static-file.js'
import { findAccount } from './accounts.js'
import { interactionRoutes } from './interactions.js'
import { problemPage, signedOutPage, signOutPage } from './pages.js'

/**
 * @typedef {object} ProviderOptions
 * @property {string} host
 * @property {number} port
 * @property {string} issuer
 * @property {{ now(): number }} clock For the time at which a user signed in.
 * @property {{ clientId: string, clientSecret: string, origin: string, callbackUrl: string, backchannelLogoutUrl: string, signedOutUrl: string }} client
 */

/** @param {string} clientOrigin */
function policyFor(clientOrigin) {
  // What a form leads to at last, the application, counts too. oidc-provider adds the hash of its own script.
  return `default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; form-action 'self' ${clientOrigin}; base-uri 'none'; frame-ancestors 'none'`
}

/** @param {ProviderOptions['client']} client */
function clientMetadata({ clientId, clientSecret, callbackUrl, backchannelLogoutUrl, signedOutUrl }) {
  return {
    client_id: clientId,
    client_secret: clientSecret,
    client_name: 'gosesh example',
    redirect_uris: [callbackUrl],
    post_logout_redirect_uris: [signedOutUrl],
    backchannel_logout_uri: backchannelLogoutUrl,
    backchannel_logout_session_required: true,
    // Each sign-in says when it was, whether the application asks or not.
    require_auth_time: true,
    id_token_signed_response_alg: /** @type {const} */ ('ES256'),
  }
}

/**
 * The application is the provider's own: what it may read is shown on the page with the accounts, and not asked again.
 *
 * @param {import('oidc-provider').KoaContextWithOIDC} context
 */
async function grantToOwnApplication({ oidc }) {
  const { client, session, provider } = oidc
  if (client === undefined || session?.accountId === undefined) return undefined
  const known = session.grantIdFor(client.clientId)
  if (known !== undefined) return await provider.Grant.find(known)
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  grant.addOIDCScope('openid email profile')
  await grant.save()
  return grant
}

/**
 * @param {ProviderOptions['client']} client
 * @returns {Promise<import('oidc-provider').Configuration>}
 */
async function configuration(client) {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return {
    clients: [clientMetadata(client)],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    claims: { openid: ['sub', 'sid', 'amr'], email: ['email'], profile: ['name'] },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(context, form) {
          context.body = signOutPage(form).toString()
        },
        postLogoutSuccessSource(context) {
          context.body = signedOutPage().toString()
        },
      },
    },
    interactions: { url: (_context, { uid }) => `/sign-in/${uid}` },
    loadExistingGrant: grantToOwnApplication,
    ttl: { AccessToken: 600, Grant: 86_400, IdToken: 600, Interaction: 600, Session: 86_400 },
    findAccount: (_context, id) => {
      const account = findAccount(id)
      return (
        account && { accountId: id, claims: () => ({ sub: id, name: account.name, email: account.email }) }
      )
    },
    renderError(context, { error_description: description, error }) {
      context.type = 'html'
      context.body = problemPage(description ?? error).toString()
    },
    // Its own dispatcher refuses the addresses of this machine, and here the application is on it.
    fetch: (url, init) => fetch(url, /** @type {RequestInit} */ ({ ...init, dispatcher: undefined })),
  }
}

/**
 * An OpenID provider on this machine (oidc-provider): a stand-in for the one of your company. What it knows is in memory.
 *
 * @param {ProviderOptions} options
 * @returns {Promise<() => Promise<void>>} Stops it.
 */
export async function startProvider({ host, port, issuer, client, clock }) {
  const provider = new Provider(issuer, await configuration(client))
  const policy = policyFor(client.origin)
  provider.use(async (context, next) => {
    context.set('content-security-policy', policy)
    await next()
  })
  const answer = provider.callback()

  const app = Fastify({ forceCloseConnections: true })
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'content-security-policy': policy,
      'referrer-policy': 'same-origin',
      'cache-control': 'no-store',
    })
  })
  const file = new URL('style.css', import.meta.url)
  await serveFile(app, '/style.css', { file, type: 'text/css; charset=utf-8' })
  app.register(interactionRoutes, { provider, clock })
  app.register(async (rest) => {
    // oidc-provider reads bodies itself.
    rest.removeAllContentTypeParsers()
    rest.addContentTypeParser('*', (_request, _payload, done) => done(null))
    rest.all('/*', (request, reply) => {
      reply.hijack()
      answer(request.raw, reply.raw)
    })
  })
  await app.listen({ host, port })
  return () => app.close()
}
