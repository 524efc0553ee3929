import type { FastifyInstance } from 'fastify'
import type { Configuration } from 'oidc-provider'
import type { Test } from 'tap'
import type { GoseshOptions } from '../../../lib/index.js'
import type { OAuthOptions, OidcOptions, RedirectToProviderOptions } from '../../../lib/oauth/index.js'
import { acme, appOrigin, type Scene, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'
import { answerAtProvider, clientId, clientSecret, freePort, OidcServer } from './oidc-server.js'

/** How the provider authenticates whoever comes to its sign-in page next. */
interface Login {
  user: string
  /** Seconds since the sign-in there that it remembers. */
  age: number
  acr: string | undefined
  amr: readonly string[] | undefined
}

export interface StepUpScene extends Scene {
  readonly login: Login
  /** What the route `/confirm` asks the provider for. */
  readonly ask: { options: RedirectToProviderOptions }
  /** From `/confirm` to the provider and back to the callback, which is not visited. */
  callbackOf(change?: (url: URL) => void): Promise<string>
}

/** An OpenID provider that signs in whom `login` names, without a page, and says when and how. */
function configurationFor(origin: string, login: Login, clients: object): Configuration {
  return {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [`${origin}/auth/acme/callback`],
        require_auth_time: true,
        backchannel_logout_uri: `${origin}/auth/acme/backchannel-logout`,
        backchannel_logout_session_required: true,
        ...clients,
      },
    ],
    claims: { openid: ['sub', 'sid', 'amr', 'acr'], auth_time: null },
    acrValues: ['urn:acme:pwd', 'urn:acme:mfa'],
    features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
    interactions: { url: (_context, { uid }) => `/sign-in/${uid}` },
    async loadExistingGrant({ oidc }) {
      const { provider, client, session } = oidc
      const grant = new provider.Grant({ clientId: client?.clientId, accountId: session?.accountId })
      grant.addOIDCScope('openid email profile')
      await grant.save()
      return grant
    },
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, amr: login.amr }) }),
  }
}

export async function stepUpScene(
  t: Test,
  more: {
    sessions?: GoseshOptions
    provider?: Partial<OidcOptions>
    client?: object
    oauth?: Partial<OAuthOptions>
  } = {},
): Promise<StepUpScene> {
  const origin = await appOrigin()
  const login: Login = { user: 'ada', age: 0, acr: undefined, amr: undefined }
  const server = new OidcServer(await freePort(), origin, configurationFor(origin, login, more.client ?? {}))
  t.teardown(() => server.stop())
  server.provider.use(async (context, next) => {
    if (!context.path.startsWith('/sign-in/')) return await next()
    const { user: accountId, age, acr, amr } = login
    const ts = Math.floor(Date.now() / 1_000) - age
    context.respond = false
    await server.provider.interactionFinished(context.req, context.res, {
      login: { accountId, ts, ...(acr && { acr }), ...(amr && { amr: [...amr] }) },
    })
  })
  await server.start()
  const providers = { acme: acme(server, more.provider) }
  const ask = { options: {} as RedirectToProviderOptions }
  const { sessions } = more
  const app: FastifyInstance = await startApp(
    t,
    { origin, providers, ...more.oauth },
    { ...(sessions && { sessions }), routes: (instance) => addRoutes(instance, ask) },
  )
  const browser = new Browser()
  return {
    ...{ app, origin, server, browser, button: `${origin}/auth/acme`, login, ask },
    async callbackOf(change = () => {}) {
      const url = new URL(locationOf(await browser.get(`${origin}/confirm`)))
      change(url)
      return await answerAtProvider(browser, url.href, null)
    },
  }
}

function addRoutes(app: FastifyInstance, ask: { options: RedirectToProviderOptions }): void {
  app.get('/confirm', async (_request, reply) => await reply.redirectToProvider('acme', ask.options))
  app.get<{ Params: { name: string } }>('/go/:name', async (request, reply) =>
    reply.redirectToProvider(request.params.name, ask.options),
  )
  app.get('/danger', { config: { session: { signedInWithin: 300_000 } } }, async () => 'in')
  app.get('/mfa', { config: { session: { factors: ['otp'] } } }, async () => 'in')
}
