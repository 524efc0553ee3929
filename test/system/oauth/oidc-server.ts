import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { type Configuration, Provider } from 'oidc-provider'
import type { Test } from 'tap'
import { freePort } from '../../tools/ports.js'
import { type Browser, locationOf } from './browser.js'

export { freePort }

const { privateKey } = await generateKeyPair('RS256', { extractable: true })
const signingKey = { ...(await exportJWK(privateKey)), kid: 'test', alg: 'RS256', use: 'sig' }

export const clientId = 'app'
export const clientSecret = 'a secret that nobody else knows'

/** A real OpenID provider (oidc-provider) on a loopback port, over http, with its development sign-in pages. */
export class OidcServer {
  readonly issuer: string
  readonly provider: Provider
  /** The paths that were asked for. */
  readonly requests: string[] = []
  readonly #port: number
  #server: Server | null = null

  constructor(port: number, appOrigin: string, configuration: Configuration) {
    this.#port = port
    this.issuer = `http://127.0.0.1:${port}`
    this.provider = new Provider(this.issuer, {
      clients: [
        {
          client_id: clientId,
          client_secret: clientSecret,
          redirect_uris: [`${appOrigin}/auth/acme/callback`],
          post_logout_redirect_uris: [`${appOrigin}/`],
          backchannel_logout_uri: `${appOrigin}/auth/acme/backchannel-logout`,
          backchannel_logout_session_required: true,
        },
        { client_id: 'native', token_endpoint_auth_method: 'none', redirect_uris: ['http://127.0.0.1/'] },
      ],
      jwks: { keys: [signingKey] },
      cookies: { keys: ['only for tests'] },
      claims: { openid: ['sub', 'sid'], email: ['email'], profile: ['name'] },
      features: { backchannelLogout: { enabled: true } },
      // Its own dispatcher refuses loopback addresses.
      fetch: (url, init) => fetch(url, { ...init, dispatcher: undefined } as RequestInit),
      findAccount: (_context, id) => ({
        accountId: id,
        claims: () => ({ sub: id, name: `Name of ${id}`, email: `${id}@acme.example` }),
      }),
      ...configuration,
    })
    this.provider.on('server_error', (_context, error) => console.error(error))
  }

  async start(): Promise<void> {
    const handle = this.provider.callback()
    this.#server = createServer((request, response) => {
      this.requests.push(String(request.url))
      handle(request, response)
    })
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = null
    if (server === null) return
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }

  /** A token that this provider signed, with what it says left to the test. */
  async sign(claims: JWTPayload, header: { typ?: string; kid?: string } = {}): Promise<string> {
    const now = Math.floor(Date.now() / 1_000)
    return await new SignJWT({ iss: this.issuer, aud: clientId, iat: now, exp: now + 300, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'test', ...header })
      .sign(privateKey)
  }
}

export async function startOidcServer(
  t: Test,
  appOrigin: string,
  configuration: Configuration = {},
): Promise<OidcServer> {
  const server = new OidcServer(await freePort(), appOrigin, configuration)
  t.teardown(() => server.stop())
  await server.start()
  return server
}

/** Follows a form that the provider has the browser send to the application (`response_mode=form_post`). */
export function formPost(html: string): { url: string; form: Record<string, string> } {
  const [, url = ''] = /action="([^"]+)"/.exec(html) ?? []
  const fields = [...html.matchAll(/name="([^"]+)" value="([^"]*)"/g)]
  return { url, form: Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value])) }
}

/** Signs in (and agrees) on the provider's pages, or aborts there; resolves the callback with which it sends the browser back, or the page with the form to post there. */
export async function answerAtProvider(browser: Browser, url: string, user: string | null): Promise<string> {
  const { origin } = new URL(url)
  let next = url
  for (let steps = 0; steps < 20; steps++) {
    if (new URL(next).origin !== origin) return next
    const response = await browser.get(next)
    if (response.status >= 300 && response.status < 400) {
      next = locationOf(response)
      continue
    }
    const html = await response.text()
    const [, action] = /action="([^"]+)"/.exec(html) ?? []
    if (action !== undefined && new URL(action, next).origin !== origin) return html
    if (action === undefined) throw new Error(`no form, but ${response.status}: ${html.slice(0, 500)}`)
    const [, prompt = ''] = /name="prompt" value="([^"]+)"/.exec(html) ?? []
    const [, abort = ''] = /href="([^"]+\/abort)"/.exec(html) ?? []
    const answered =
      user === null
        ? await browser.get(new URL(abort, next).href)
        : await browser.post(new URL(action, next).href, { prompt, login: user, password: 'any' })
    next = locationOf(answered)
  }
  throw new Error('the provider did not send the browser back')
}
