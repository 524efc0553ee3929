import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { acme, appOrigin, errorOf, scene, sessionIn, signInAt } from './app.js'
import { Browser, locationOf } from './browser.js'
import { clientId, freePort, OidcServer } from './oidc-server.js'

t.test('signing out', async (t) => {
  t.test('here alone', async (t) => {
    const { origin, browser, button } = await scene(t, { signOutPage: '/bye' })
    await signInAt(browser, button)
    const crossSite = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }
    const refused = await browser.post(`${origin}/auth/sign-out`, {}, crossSite)
    t.equal(await errorOf(refused), '403 GOSESH_ERR_CROSS_ORIGIN')
    t.ok(await sessionIn(browser, origin))
    const anonymous = await new Browser().post(`${origin}/auth/sign-out`, {}, crossSite)
    t.equal(await errorOf(anonymous), '403 GOSESH_ERR_CROSS_ORIGIN')
    t.equal(locationOf(await browser.post(`${origin}/auth/sign-out`, {})), `${origin}/bye`)
    t.equal(await sessionIn(browser, origin), null)
  })

  t.test('at the provider too', async (t) => {
    const { origin, server, browser, button } = await scene(t)
    await signInAt(browser, button)
    const url = new URL(locationOf(await browser.post(`${origin}/auth/sign-out?provider`, {})))
    t.equal(url.origin, server.issuer)
    t.same(Object.fromEntries(url.searchParams), {
      client_id: clientId,
      post_logout_redirect_uri: `${origin}/`,
    })
    t.equal(await sessionIn(browser, origin), null)
    const nobody = await new Browser().post(`${origin}/auth/sign-out?provider`, {})
    t.equal(locationOf(nobody), `${origin}/`, 'without a session there is no provider')
  })

  t.test('with a hint, and where the provider is no help', async (t) => {
    const origin = await appOrigin()
    const down = new OidcServer(await freePort(), origin, {})
    const plain = createServer((_request, response) => {
      const { port } = plain.address() as { port: number }
      const issuer = `http://127.0.0.1:${port}`
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({ issuer, jwks_uri: `${issuer}/jwks`, authorization_endpoint: `${issuer}/a` }),
      )
    }).listen(0, '127.0.0.1')
    await once(plain, 'listening')
    t.teardown(() => plain.closeAllConnections())
    t.teardown(() => plain.close())
    const { port } = plain.address() as { port: number }
    const { default: Fastify } = await import('fastify')
    const { default: gosesh } = await import('../../../lib/index.js')
    const { oauth } = await import('../../../lib/oauth/index.js')
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(gosesh)
    await app.register(oauth, {
      origin,
      providers: { down: acme(down), plain: acme({ issuer: `http://127.0.0.1:${port}` }) },
    })
    app.post<{ Body: { provider: string } }>('/login', async (request, reply) =>
      reply.signIn('ada', { metadata: { provider: request.body.provider } }),
    )
    app.post<{ Body: { idTokenHint?: string } }>('/bye', async (request, reply) => ({
      url: await reply.signOutOfProvider(request.body),
    }))
    const signOut = async (provider: string, body: object) => {
      const login = await app.inject({ method: 'POST', url: '/login', body: { provider } })
      const cookies = Object.fromEntries(login.cookies.map(({ name, value }) => [name, value]))
      return (await app.inject({ method: 'POST', url: '/bye', cookies, body })).json()
    }
    t.same(await signOut('down', {}), { url: `${origin}/` }, 'a provider that is down')
    t.same(await signOut('plain', {}), { url: `${origin}/` }, 'a provider without such a page')
    t.same(await signOut('gone', {}), { url: `${origin}/` }, 'a provider that is configured no more')
    t.match(await signOut('down', { idTokenHint: 7 }), { statusCode: 500, code: 'GOSESH_ERR_OPTION' })
    t.match(await signOut('down', { hint: 'x' }), { statusCode: 500, code: 'GOSESH_ERR_OPTION' })
    t.teardown(() => down.stop())
    await down.start()
    t.match(await signOut('down', { idTokenHint: 'the-token' }), { url: /id_token_hint=the-token/ })
  })
})
