import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { github, type OAuthSignIn, oauth2 } from '../../../lib/oauth/index.js'
import { acme, appOrigin, errorOf, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'

const mebibyte = 1_048_576

/** Sends zeros until the client hangs up. */
async function sendForEver(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' })
  const zeros = Buffer.alloc(65_536, '0')
  while (!response.destroyed) {
    if (!response.write(zeros)) await Promise.race([once(response, 'drain'), once(response, 'close')])
  }
}

/** A provider whose answer at `endless` never ends. */
async function startProvider(t: Test, endless: string): Promise<{ url: string; sent: () => number }> {
  let sent = 0
  const server = createServer((request, response) => {
    if (String(request.url).startsWith(endless)) {
      response.on('close', () => {
        sent += request.socket.bytesWritten
      })
      void sendForEver(response)
      return
    }
    const { port } = server.address() as AddressInfo
    const issuer = `http://127.0.0.1:${port}`
    const endpoints = {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
    }
    const token = { access_token: 'x', token_type: 'bearer' }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(request.url === '/token' ? token : endpoints))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  t.teardown(() => server.closeAllConnections())
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sent: () => sent }
}

t.test('a body without an end is read no further than any answer is long', async (t) => {
  for (const endless of ['/token', '/profile', '/.well-known', '/keys']) {
    await t.test(endless, async (t) => {
      const { url, sent } = await startProvider(t, endless)
      const origin = await appOrigin()
      const isOpenId = endless === '/.well-known' || endless === '/keys'
      const hub = isOpenId
        ? acme({ issuer: url }, { idTokenExchange: true })
        : oauth2({
            authorizationEndpoint: `${url}/authorize`,
            tokenEndpoint: `${url}/token`,
            profileEndpoint: `${url}/profile`,
            subject: () => 'ada',
            clientId: 'c',
            dangerouslyAllowInsecureEndpoints: true,
          })
      await startApp(t, { origin, providers: { hub } })
      const browser = new Browser()
      const begun = await browser.get(`${origin}/auth/hub`)
      const header = Buffer.from('{"alg":"RS256","kid":"a"}').toString('base64url')
      let response = begun
      if (endless === '/keys') {
        const body = new URLSearchParams({ id_token: `${header}.e30.AAAA` })
        response = await fetch(`${origin}/auth/hub/token`, { method: 'POST', body })
      } else if (endless !== '/.well-known') {
        const state = String(new URL(locationOf(begun)).searchParams.get('state'))
        response = await browser.get(
          `${origin}/auth/hub/callback?${new URLSearchParams({ code: 'c', state })}`,
        )
      }
      t.equal(await errorOf(response), '502 GOSESH_ERR_OAUTH_PROVIDER')
      while (sent() === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      t.ok(sent() < 32 * mebibyte, `${sent()} bytes were taken from the server, most into the socket`)
    })
  }
})

t.test('an answer without a body', async (t) => {
  const origin = await appOrigin()
  const hub = acme(
    { issuer: 'https://login.acme.example' },
    { fetch: async () => new Response(null, { status: 500 }) },
  )
  await startApp(t, { origin, providers: { hub } })
  const response = await new Browser().get(`${origin}/auth/hub`)
  t.equal(await errorOf(response), '503 GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE')
})

t.test('an outage while a private address is read is no account without one', async (t) => {
  for (const [status, expected] of [
    [503, '503 GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'],
    [429, '503 GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'],
    [401, '502 GOSESH_ERR_OAUTH_PROVIDER'],
  ] as const) {
    const origin = await appOrigin()
    const fetch = async (url: string) => {
      const { pathname } = new URL(url)
      if (pathname.endsWith('access_token')) return Response.json({ access_token: 'x', token_type: 'bearer' })
      return pathname === '/user' ? Response.json({ id: 7, email: null }) : new Response('', { status })
    }
    await startApp(t, { origin, providers: { github: github({ clientId: 'c', clientSecret: 's', fetch }) } })
    const browser = new Browser()
    const { searchParams } = new URL(locationOf(await browser.get(`${origin}/auth/github`)))
    const query = new URLSearchParams({ code: 'c', state: String(searchParams.get('state')) })
    t.equal(await errorOf(await browser.get(`${origin}/auth/github/callback?${query}`)), expected)
  }
})

t.test('the private address of a GitHub account', async (t) => {
  const primary = { email: 'ada@home.example', primary: true, verified: true }
  const other = { email: 'ada@work.example', primary: false, verified: true }
  for (const [shown, listed, expected, scope] of [
    [null, [other, primary], 'ada@home.example', undefined],
    [null, [other, { ...primary, verified: false }], null, undefined],
    [null, { message: 'Resource not accessible' }, null, undefined],
    ['ada@public.example', [primary], 'ada@public.example', undefined],
    [null, [primary], null, 'read:user'],
  ] as const) {
    const origin = await appOrigin()
    const seen: OAuthSignIn[] = []
    const fetch = async (url: string) => {
      const { pathname } = new URL(url)
      if (pathname === '/login/oauth/access_token') {
        return Response.json({ access_token: 'x', token_type: 'bearer' })
      }
      if (pathname === '/user') return Response.json({ id: 7, email: shown })
      return Response.json(listed, { status: Array.isArray(listed) ? 200 : 404 })
    }
    const providers = { github: github({ clientId: 'c', clientSecret: 's', fetch, scope }) }
    await startApp(t, { origin, providers, onSignIn: (signIn) => void seen.push(signIn) })
    const browser = new Browser()
    const state = new URL(locationOf(await browser.get(`${origin}/auth/github`))).searchParams.get('state')
    const query = new URLSearchParams({ code: 'c', state: String(state) })
    t.equal((await browser.get(`${origin}/auth/github/callback?${query}`)).status, 303)
    t.equal(seen[0]?.profile.email, expected)
    t.same(seen[0]?.tokens, { access_token: 'x', token_type: 'bearer' })
    t.notOk('claims' in (seen[0]?.tokens ?? {}), 'nor the claims of a token that nothing verified')
  }
})
