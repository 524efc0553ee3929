import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import gosesh, { bearerCredential, cookieCredential, type GoseshOptions } from '../../../lib/index.js'
import { type OAuthOptions, type OidcOptions, oauth, oidc } from '../../../lib/oauth/index.js'
import { addRoutes } from '../../tools/app.js'
import { Browser, locationOf } from './browser.js'
import {
  answerAtProvider,
  clientId,
  clientSecret,
  freePort,
  type OidcServer,
  startOidcServer,
} from './oidc-server.js'

/** An origin on which an application of the test can listen. */
export async function appOrigin(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`
}

/** An application with gosesh and gosesh/oauth, listening at `origin`, closed after the test. */
export async function startApp(
  t: Test,
  options: OAuthOptions,
  {
    sessions = {},
    server = {},
    routes = () => {},
  }: {
    sessions?: GoseshOptions
    server?: FastifyServerOptions
    routes?: (app: FastifyInstance) => void
  } = {},
): Promise<FastifyInstance> {
  const app = Fastify({ forceCloseConnections: true, ...server })
  t.teardown(() => app.close())
  await app.register(gosesh, { credentials: [bearerCredential(), cookieCredential()], ...sessions })
  await app.register(oauth, options)
  addRoutes(app)
  routes(app)
  const { hostname, port } = new URL(options.origin)
  await app.listen({ host: hostname, port: Number(port) })
  return app
}

/** The provider of the tests, as an application configures it. */
export function acme({ issuer }: Pick<OidcServer, 'issuer'>, options: Partial<OidcOptions> = {}) {
  return oidc({ issuer, clientId, clientSecret, dangerouslyAllowInsecureIssuer: true, ...options })
}

export interface Scene {
  readonly app: FastifyInstance
  readonly origin: string
  readonly server: OidcServer
  readonly browser: Browser
  /** The route where sign-in begins. */
  readonly button: string
}

/** The usual scene: a provider, an application and a browser. */
export async function scene(
  t: Test,
  options: Partial<OAuthOptions> = {},
  more: Parameters<typeof startApp>[2] & { provider?: Partial<OidcOptions> } = {},
): Promise<Scene> {
  const origin = await appOrigin()
  const server = await startOidcServer(t, origin)
  const providers = { acme: acme(server, more.provider) }
  const app = await startApp(t, { origin, providers, ...options }, more)
  return { app, origin, server, browser: new Browser(), button: `${origin}/auth/acme` }
}

/** Begins a sign-in and completes it at the provider; resolves the callback, not yet visited. */
export async function callbackFor(
  browser: Browser,
  button: string,
  user: string | null = 'ada',
): Promise<string> {
  return await answerAtProvider(browser, locationOf(await browser.get(button)), user)
}

/** Signs in from the button to the page after the callback; resolves where that is. */
export async function signInAt(browser: Browser, button: string, user = 'ada'): Promise<string> {
  return locationOf(await browser.get(await callbackFor(browser, button, user)))
}

/** The code of the error that a page shows. */
export async function errorOf(response: Response): Promise<string> {
  const [code = ''] = /GOSESH_ERR_\w+/.exec(await response.text()) ?? []
  return `${response.status} ${code}`
}

/** The session that the application sees in this browser. */
export async function sessionIn(browser: Browser, origin: string) {
  const body = (await (await browser.get(`${origin}/whoami`)).json()) as {
    session: { id: string; userId: string; createdAt: string; metadata: Record<string, string> | null } | null
  }
  return body.session
}
