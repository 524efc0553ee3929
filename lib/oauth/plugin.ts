import cookie from '@fastify/cookie'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import '../../types/fastify.js'
import type { OAuthOptions } from '../../types/oauth.js'
import { requireInternals } from '../core/internals.js'
import { redirectToSignIn } from '../core/redirect-to-sign-in.js'
import { type Repetition, repeat } from '../core/timing.js'
import { optionError } from '../core/validation.js'
import { type DeviceParts, deviceApiRoutes, devicePageRoutes } from './device/routes.js'
import { DeviceAuthorization, requireDeviceStore } from './device/service.js'
import { takeForms } from './form.js'
import { backchannelRoutes, requireSessionsDeleter } from './logout/backchannel-routes.js'
import { signOutOfProvider, signOutRoutes } from './logout/sign-out-routes.js'
import { type OAuthSettings, parseSettings } from './options.js'
import { pageErrorHandler } from './pages/pages.js'
import { Clients } from './providers/clients.js'
import { loadLibraries } from './providers/libraries.js'
import { SignInFlow } from './sign-in/flow.js'
import { signInRoutes } from './sign-in/routes.js'
import { tokenRoutes } from './token/routes.js'
import { LoggedOut } from './token/seen-tokens.js'

/** A callback's query holds the code, so no line of the log shows a query. */
function describeRequest({ method, url, host, ip }: FastifyRequest): object {
  return { method, url: url.replace(/\?.*$/s, ''), host, remoteAddress: ip }
}

/** Fastify's type knows serializers that return text; pino takes objects, and Fastify's own returns one. */
const logSerializers = { req: describeRequest } as unknown as Record<string, (value: unknown) => string>

const cacheHeaders = { 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }

/** What devices and providers call. */
function addApiRoutes(routes: FastifyInstance, settings: OAuthSettings, clients: Clients): void {
  const loggedOut = new LoggedOut(settings.clock)
  tokenRoutes(routes, settings, clients.openId, loggedOut)
  if (settings.backchannelLogout) backchannelRoutes(routes, settings, clients.openId, loggedOut)
}

/** Throws `GOSESH_ERR_OPTION` if no credential could carry the token that a device gets. */
function requireTokenCredential(app: FastifyInstance): void {
  if (app.gosesh.policy.credentials.some(({ ambient }) => !ambient)) return
  const expected =
    'off, or gosesh with a credential for devices, such as credentials: [bearerCredential(), cookieCredential()]'
  throw optionError('deviceAuthorization', true, expected)
}

function addDeviceAuthorization(
  app: FastifyInstance,
  { deviceAuthorization, clock }: OAuthSettings,
): DeviceParts | null {
  if (deviceAuthorization === null) return null
  const authorization = new DeviceAuthorization(app, deviceAuthorization, clock)
  let sweeping: Repetition | undefined
  app.addHook('onReady', async () => {
    requireDeviceStore(app)
    requireTokenCredential(app)
    const { sweepInterval } = app.gosesh.policy
    if (sweepInterval === null) return
    sweeping = repeat(sweepInterval, async () => {
      await authorization.sweep().catch((error) => app.log.warn({ err: error }, 'expired device codes stay'))
    })
  })
  app.addHook('onClose', async () => sweeping?.stop())
  return { authorization, settings: deviceAuthorization }
}

/** Discovery begins with the application, which does not wait for it; who comes before, or after a failure, does. */
function discoverInBackground(app: FastifyInstance, clients: Clients): void {
  for (const client of clients.all) {
    client.configuration().catch((error) => {
      app.log.warn(
        { err: error, provider: client.name },
        'a sign-in provider is unavailable; it is tried again on use',
      )
    })
  }
}

/** The page of `app.redirectToSignIn(url)`. */
function signInPageOf(url: string | undefined, { signInPage }: OAuthSettings): string {
  const page = url ?? signInPage
  if (page === null) throw optionError('redirectToSignIn', url, 'a path, as there are several providers')
  return page
}

async function registerOAuth(app: FastifyInstance, options: OAuthOptions): Promise<void> {
  requireInternals(app)
  const settings = parseSettings(options, app.prefix)
  const clients = new Clients(settings, await loadLibraries())
  if (!app.hasPlugin('@fastify/cookie')) await app.register(cookie)
  app.decorate('redirectToSignIn', (url) => redirectToSignIn(signInPageOf(url, settings)))
  app.decorateReply('signOutOfProvider', function (signOutOptions = {}) {
    return signOutOfProvider(this, signOutOptions, settings, clients)
  })
  const flow = new SignInFlow(app, settings)
  app.decorateReply('redirectToProvider', async function (name, redirectOptions = {}) {
    const client = clients.byName(name)
    if (client !== null) return await flow.redirect(client, redirectOptions, this)
    throw optionError(
      'redirectToProvider',
      name,
      `one of ${clients.all.map((known) => known.name).join(', ')}`,
    )
  })
  app.addHook('onReady', async () => {
    if (settings.backchannelLogout) requireSessionsDeleter(app)
    discoverInBackground(app, clients)
  })
  const device = addDeviceAuthorization(app, settings)

  app.register(
    async (routes) => {
      takeForms(routes)
      routes.addHook('onRequest', async (_request, reply) => void reply.headers(cacheHeaders))
      routes.register(async (pages) => {
        pages.setErrorHandler(pageErrorHandler(settings))
        signInRoutes(pages, settings, clients.all, flow)
        signOutRoutes(pages, settings)
        if (device !== null) devicePageRoutes(pages, settings, device)
      })
      addApiRoutes(routes, settings, clients)
      if (device !== null) deviceApiRoutes(routes, settings, device)
    },
    { prefix: settings.prefix.slice(app.prefix.length), logSerializers },
  )
}

/** The plugin. Register it after gosesh. */
export const oauth: FastifyPluginAsync<OAuthOptions> = fp(registerOAuth, {
  name: 'gosesh-oauth',
  fastify: '5.x',
  dependencies: ['gosesh'],
})
