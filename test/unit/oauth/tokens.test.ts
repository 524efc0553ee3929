import { once } from 'node:events'
import { createServer } from 'node:http'
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import t from 'tap'
import { MemoryStore } from '../../../lib/index.js'
import { acme, appOrigin, errorOf, scene, sessionIn, signInAt, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'
import { clientId, freePort, OidcServer } from './oidc-server.js'

const verification = { statusCode: 400, code: 'GOSESH_ERR_OAUTH_VERIFICATION' }
const logoutEvent = { 'http://schemas.openid.net/event/backchannel-logout': {} }

async function postJson(url: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  return await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

/** The tokens that the provider gave for a sign-in of this user. */
async function tokensOf(button: string, tokens: Record<string, unknown>[], user = 'ada') {
  await signInAt(new Browser(), button, user)
  const last = tokens.at(-1) as { id_token: string; access_token: string }
  const [, payload = ''] = last.id_token.split('.')
  return { ...last, claims: JSON.parse(Buffer.from(payload, 'base64url').toString()) }
}

const exchange = { provider: { idTokenExchange: true } }

t.test('an ID token is exchanged only if the application asks for it', async (t) => {
  const { origin, server } = await scene(t)
  const id_token = await server.sign({ sub: 'ada' })
  t.equal((await postJson(`${origin}/auth/acme/token`, { id_token })).status, 404)
})

t.test('an ID token is exchanged once, and for ten minutes after it was issued', async (t) => {
  const { origin, server } = await scene(t, {}, exchange)
  const url = `${origin}/auth/acme/token`
  const id_token = await server.sign({ sub: 'ada' })
  const statuses = await Promise.all([1, 2, 3].map(async () => (await postJson(url, { id_token })).status))
  t.same(statuses.sort(), [200, 400, 400])
  t.match(await (await postJson(url, { id_token })).json(), verification)
  const now = Math.floor(Date.now() / 1_000)
  const old = await server.sign({ sub: 'ada', iat: now - 700, exp: now + 3_600 })
  t.match(await (await postJson(url, { id_token: old })).json(), verification)
})

t.test('an ID token says when its user signed in, if the provider is asked for it', async (t) => {
  const provider = { idTokenExchange: true, authorizationParameters: { prompt: 'login' } }
  const { button, server } = await scene(t, {}, { provider })
  const now = Math.floor(Date.now() / 1_000)
  for (const [auth_time, status] of [
    [undefined, 400],
    [now - 700, 400],
    [now - 500, 200],
  ] as const) {
    const claims = auth_time === undefined ? {} : { auth_time }
    const body = new URLSearchParams({ id_token: await server.sign({ sub: 'ada', ...claims }) })
    t.equal((await fetch(`${button}/token`, { method: 'POST', body })).status, status, `${auth_time}`)
  }
})

t.test('an ID token is not used up by an outage', async (t) => {
  const store = new MemoryStore()
  const { button, server } = await scene(t, {}, { sessions: { store }, provider: { idTokenExchange: true } })
  const body = new URLSearchParams({ id_token: await server.sign({ sub: 'ada' }) })
  const post = async () => (await fetch(`${button}/token`, { method: 'POST', body })).status
  const { createSession } = store
  store.createSession = async () => {
    throw new Error('the store is down')
  }
  t.equal(await post(), 503)
  store.createSession = createSession
  t.equal(await post(), 200)
  t.equal(await post(), 400)
})

t.test('an ID token of the provider is exchanged for a session', async (t) => {
  const tokens: Record<string, unknown>[] = []
  const { app, origin, server, button } = await scene(
    t,
    {
      metadata: () => ({ app: 'phone' }),
      onSignIn: ({ tokens: given, subject }) => {
        tokens.push(given)
        return subject === 'bo' ? { refuse: 'Not you' } : undefined
      },
    },
    exchange,
  )
  const { id_token, access_token, claims } = await tokensOf(button, tokens)
  const url = `${origin}/auth/acme/token`
  const answer = await postJson(url, { id_token, nonce: claims.nonce })
  t.equal(answer.status, 200)
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const body = (await answer.json()) as Record<string, string>
  const userId = await app.gosesh.upsertUser('acme|ada')
  t.match(body, {
    token: /^[\w-]{43}$/,
    token_type: 'Bearer',
    user_id: userId,
    expires_at: /Z$/,
    expires_in: 2_592_000,
  })
  const headers = { authorization: `Bearer ${body.token}` }
  t.match((await app.inject({ url: '/me', headers })).json(), {
    userId,
    metadata: { app: 'phone', provider: 'acme', oidc_iss: server.issuer, oidc_sub: 'ada' },
  })
  t.same(tokens.at(-1), { id_token }, 'onSignIn is asked too')
  const fresh = async () => ({ id_token: await server.sign({ sub: 'ada', jti: `${Math.random()}` }) })
  const form = await fetch(url, { method: 'POST', body: new URLSearchParams(await fresh()) })
  t.equal(form.status, 200, 'form-encoded too')

  const refused = async (body: object, error: object, message: string, headers = {}) => {
    const response = await postJson(url, body, headers)
    t.match(await response.json(), error, message)
    t.equal(response.headers.get('cache-control'), 'no-store', message)
  }
  await refused({ id_token, nonce: 'another' }, verification, 'another nonce')
  await refused({ id_token: access_token }, verification, 'an access token')
  await refused(
    { access_token },
    { statusCode: 400, code: 'GOSESH_ERR_OAUTH_REQUEST' },
    'an access token alone',
  )
  await refused({ id_token: 7 }, { statusCode: 400, code: 'GOSESH_ERR_OAUTH_REQUEST' }, 'no text')
  const bo = await server.sign({ sub: 'bo' })
  await refused(
    { id_token: bo },
    { statusCode: 403, code: 'GOSESH_ERR_OAUTH_REFUSED', message: 'Not you' },
    'refused',
  )

  const crossOrigin = { statusCode: 403, code: 'GOSESH_ERR_CROSS_ORIGIN' }
  await refused({ id_token }, crossOrigin, 'of a page of another site', { 'sec-fetch-site': 'cross-site' })
  await refused({ id_token }, crossOrigin, 'of another origin', { origin: 'https://evil.example' })
  t.equal((await postJson(url, await fresh(), { origin })).status, 200)
  t.equal((await postJson(url, await fresh(), { 'sec-fetch-site': 'same-origin' })).status, 200)
  t.equal((await postJson(url, await fresh(), { 'sec-fetch-site': 'none' })).status, 200)
})

t.test('an ID token that does not verify is refused', async (t) => {
  const { origin, server } = await scene(
    t,
    {},
    { provider: { idTokenExchange: true, nativeClientIds: ['native'] } },
  )
  const now = Math.floor(Date.now() / 1_000)
  const { privateKey } = await generateKeyPair('RS256')
  const claims = { iss: server.issuer, sub: 'eve', aud: clientId, iat: now, exp: now + 60 }
  const foreign = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'test' }).sign(privateKey)
  const unknownKey = new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'other' }).sign(privateKey)
  const symmetric = new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from('x'.repeat(32)))
  const valid = await server.sign({ sub: 'ada' })
  const [header, , signature] = valid.split('.')
  const payload = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url')
  for (const [what, token] of Object.entries({
    'for another audience': await server.sign({ sub: 'ada', aud: 'someone else' }),
    'for us and somebody whom we do not know': await server.sign({ sub: 'ada', aud: [clientId, 'else'] }),
    'for nobody': await server.sign({ sub: 'ada', aud: [] }),
    'issued to another client': await server.sign({ sub: 'ada', azp: 'someone else' }),
    'of another issuer': await server.sign({ sub: 'ada', iss: 'https://evil.example' }),
    expired: await server.sign({ sub: 'ada', iat: now - 600, exp: now - 60 }),
    'not valid yet': await server.sign({ sub: 'ada', nbf: now + 600 }),
    'without an expiry': await server.sign({ sub: 'ada', exp: undefined }),
    'of nobody': await server.sign({}),
    'of an empty subject': await server.sign({ sub: '' }),
    'of a subject that is no text': await server.sign({ sub: 7 as unknown as string }),
    'an access token by its type': await server.sign({ sub: 'ada' }, { typ: 'at+jwt' }),
    'an access token by its scope': await server.sign({ sub: 'ada', scope: 'openid' }),
    'an access token as Entra ID makes it': await server.sign({ sub: 'ada', scp: 'User.Read' }),
    'an access token as Keycloak makes it': await server.sign({ sub: 'ada', typ: 'Bearer' }),
    'a logout token': await server.sign({ sub: 'ada', events: logoutEvent }),
    'signed by somebody else': await foreign,
    'signed with a key that the provider does not have': await unknownKey,
    'signed with a shared secret': await symmetric,
    'not signed': new UnsecuredJWT(claims).encode(),
    'with other claims': `${header}.${payload}.${signature}`,
    'no token': 'x',
  })) {
    t.match(
      await (await postJson(`${origin}/auth/acme/token`, { id_token: token })).json(),
      verification,
      what,
    )
  }
  for (const [what, token] of Object.entries({
    'as Keycloak types it': await server.sign({ sub: 'ada', typ: 'ID' }, { typ: 'JWT' }),
    'of a native client': await server.sign({ sub: 'ada', aud: 'native' }),
    'for us, issued to a native client': await server.sign({ sub: 'ada', azp: 'native' }),
    'of both': await server.sign({ sub: 'ada', aud: [clientId, 'native'] }),
  })) {
    t.equal((await postJson(`${origin}/auth/acme/token`, { id_token: token })).status, 200, what)
  }
})

t.test('a provider whose keys cannot be had', async (t) => {
  const origin = await appOrigin()
  const metadata = (issuer: string, jwks_uri?: string) =>
    Response.json({ issuer, jwks_uri, authorization_endpoint: `${issuer}/a`, token_endpoint: `${issuer}/t` })
  const issuer = 'https://login.acme.example'
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const keys = { keys: [{ ...(await exportJWK(publicKey)), alg: 'RS256' }] }
  const answers: Record<string, (url: string) => Response> = {
    plain: (url) =>
      url.includes('well-known') ? metadata(issuer, 'http://login.acme.example/jwks') : Response.json(keys),
    none: () => metadata(issuer),
    down: (url) =>
      url.includes('well-known') ? metadata(issuer, `${issuer}/jwks`) : new Response('', { status: 500 }),
    up: (url) => (url.includes('well-known') ? metadata(issuer, `${issuer}/jwks`) : Response.json(keys)),
    odd: (url) => {
      // Whatever a fetch of the application's own throws.
      if (!url.includes('well-known')) throw 'out of order'
      return metadata(issuer, `${issuer}/jwks`)
    },
    tenants: (url) =>
      url.includes('well-known')
        ? metadata('https://login.microsoftonline.com/{tenantid}/v2.0', `${issuer}/jwks`)
        : Response.json(keys),
  }
  const providers = Object.fromEntries(
    Object.entries(answers).map(([name, answer]) => [
      name,
      acme(
        { issuer: name === 'tenants' ? 'https://login.microsoftonline.com/common/v2.0' : issuer },
        { dangerouslyAllowInsecureIssuer: false, idTokenExchange: true, fetch: async (url) => answer(url) },
      ),
    ]),
  )
  await startApp(t, { origin, providers })
  const sign = (claims: object) =>
    new SignJWT({ sub: 'ada', aud: clientId, ...claims })
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey)
  const id_token = await sign({ iss: issuer })
  const exchange = async (name: string, token = id_token) =>
    (await postJson(`${origin}/auth/${name}/token`, { id_token: token })).json()
  t.match(await exchange('plain'), verification, 'keys over plain http')
  t.match(await exchange('none'), verification, 'no keys')
  t.match(await exchange('down'), { statusCode: 503, code: 'GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE' })
  t.match(await exchange('odd'), { statusCode: 502, code: 'GOSESH_ERR_OAUTH_PROVIDER' })
  t.match(await exchange('up'), { token: /./ })
  const tid = '72f988bf'
  const ofTenant = { iss: `https://login.microsoftonline.com/${tid}/v2.0` }
  t.match(
    await exchange('tenants', await sign({ ...ofTenant, tid })),
    { token: /./ },
    'an issuer for each tenant',
  )
  t.match(await exchange('tenants', await sign({ ...ofTenant, tid: 'other' })), verification)
})

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

t.test('back-channel logout', async (t) => {
  const store = new MemoryStore()
  const { app, origin, server, button } = await scene(
    t,
    { backchannelLogout: true },
    { sessions: { store }, provider: { idTokenExchange: true } },
  )
  const url = `${origin}/auth/acme/backchannel-logout`
  const send = async (token: string) =>
    await fetch(url, { method: 'POST', body: new URLSearchParams({ logout_token: token }) })
  const signedIn = async (user: string) => {
    const browser = new Browser()
    await signInAt(browser, button, user)
    return { browser, session: await sessionIn(browser, origin) }
  }
  const exchange = async (sub: string) => {
    const body = new URLSearchParams({ id_token: await server.sign({ sub }) })
    const response = await fetch(`${button}/token`, { method: 'POST', body })
    return (await response.json()) as { token: string }
  }
  const logout = (claims: object, header?: { typ?: string }) =>
    server.sign({ events: logoutEvent, jti: `${Math.random()}`, ...claims }, { typ: 'logout+jwt', ...header })

  t.test('by the session at the provider', async (t) => {
    const [one, two] = [await signedIn('ada'), await signedIn('ada')]
    const sid = one.session?.metadata?.oidc_sid
    const response = await send(await logout({ sub: 'ada', sid }))
    t.equal(response.status, 200)
    t.equal(response.headers.get('cache-control'), 'no-store')
    t.equal(await sessionIn(one.browser, origin), null)
    t.ok(await sessionIn(two.browser, origin), 'the other device stays signed in')
    const { metadata } = two.session ?? {}
    t.equal(
      (await send(await logout({ sid: metadata?.oidc_sid }, { typ: 'JWT' }))).status,
      200,
      'by sid alone',
    )
    t.equal(await sessionIn(two.browser, origin), null)
  })

  t.test('of a session at the provider that ours does not know of', async (t) => {
    const { userId } = (await signedIn('cy')).session ?? {}
    const known = { oidc_iss: server.issuer, oidc_sub: 'cy' }
    const create = async (metadata: Record<string, string>) =>
      (await app.gosesh.createSession(String(userId), { metadata })).session.id
    const { token } = await exchange('cy')
    t.match((await app.gosesh.verifyToken(token))?.metadata, { oidc_without_sid: 'true' })
    const unknown = await create({ ...known, oidc_without_sid: 'true' })
    const other = await create({ ...known, oidc_sid: 'another' })
    const foreign = await create({ ...known, oidc_sub: 'bo', oidc_without_sid: 'true' })
    t.equal((await send(await logout({ sub: 'cy', sid: 'one' }))).status, 200)
    t.equal(await app.gosesh.getSession(unknown), null, 'it may be that one')
    t.ok(await app.gosesh.getSession(other))
    t.ok(await app.gosesh.getSession(foreign))
    t.equal(await app.gosesh.verifyToken(token), null, 'nor is that of an exchanged ID token known')
  })

  t.test('and no ID token that was issued before signs them in again', async (t) => {
    const post = async (idToken: string) => {
      const body = new URLSearchParams({ id_token: idToken })
      return (await fetch(`${button}/token`, { method: 'POST', body })).status
    }
    const iat = Math.floor(Date.now() / 1_000)
    const tokenOf = (claims: object) => server.sign({ sub: 'dee', iat, ...claims })
    const [first, second] = [await tokenOf({ sid: 'one' }), await tokenOf({ sid: 'two' })]
    t.equal((await send(await logout({ sub: 'dee', sid: 'one' }))).status, 200)
    t.equal(await post(first), 400, 'of the session that ended')
    t.equal(await post(await tokenOf({ sid: 'one', iat: iat + 20 })), 400, 'whenever it was issued')
    t.equal(await post(await tokenOf({})), 400, 'of a session that may be that one')
    t.equal(await post(second), 200, 'of another one')
    t.equal((await send(await logout({ sub: 'dee' }))).status, 200)
    t.equal((await send(await logout({ sub: 'dee' }))).status, 200, 'twice')
    t.equal(await post(await tokenOf({ sid: 'three' })), 400, 'of the user')
    t.equal(await post(await tokenOf({ iat: iat - 1 })), 400)
    t.equal(await post(await tokenOf({ sid: 'four', iat: iat + 20 })), 200, 'who then signed in again')
  })

  t.test('only of a token with the type, if that is asked for', async (t) => {
    const provider = { requireLogoutTokenType: true }
    const strict = await scene(t, { backchannelLogout: true }, { provider })
    for (const [typ, status] of [
      ['JWT', 400],
      ['logout+jwt', 200],
    ] as const) {
      const token = await strict.server.sign({ events: logoutEvent, jti: typ, sub: 'ada' }, { typ })
      const body = new URLSearchParams({ logout_token: token })
      t.equal((await fetch(`${strict.button}/backchannel-logout`, { method: 'POST', body })).status, status)
    }
  })

  t.test('tells of the ends, so that what else belongs to a session can end too', async (t) => {
    const [one, two] = [await signedIn('eve'), await signedIn('eve')]
    const ended: (string | null)[] = []
    t.teardown(app.gosesh.onSessionEnd(({ sessionId }) => ended.push(sessionId)))
    t.equal((await send(await logout({ sub: 'eve' }))).status, 200)
    t.same(ended.sort(), [one.session?.id, two.session?.id].sort())
  })

  t.test('by the subject', async (t) => {
    const [one, two, other] = [await signedIn('ada'), await signedIn('ada'), await signedIn('bo')]
    t.equal((await send(await logout({ sub: 'ada' }))).status, 200)
    t.equal(await sessionIn(one.browser, origin), null)
    t.equal(await sessionIn(two.browser, origin), null)
    t.ok(await sessionIn(other.browser, origin))
    t.equal((await send(await logout({ sub: 'nobody' }))).status, 200, 'who is not signed in is signed out')
  })

  t.test('by the provider itself, when its user signs out there', async (t) => {
    const { browser } = await signedIn('cy')
    const there = locationOf(await browser.post(`${origin}/auth/sign-out?provider`, {}))
    const again = await signInAt(browser, button, 'cy')
    t.equal(again, `${origin}/`)
    const page = await browser.get(there)
    const html = await page.text()
    const [, action = ''] = /action="([^"]+)"/.exec(html) ?? []
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(html) ?? []
    const done = await browser.post(action, { xsrf, logout: 'yes' })
    t.match(locationOf(done), `${origin}/`)
    t.equal(await sessionIn(browser, origin), null, 'the session that began since is over')
  })

  t.test('a forged logout token ends nothing', async (t) => {
    const { browser } = await signedIn('ada')
    const now = Math.floor(Date.now() / 1_000)
    const { privateKey } = await generateKeyPair('RS256')
    const foreign = new SignJWT({
      iss: server.issuer,
      aud: clientId,
      sub: 'ada',
      events: logoutEvent,
      jti: 'j',
      iat: now,
    })
    const used = await logout({ sub: 'nobody' })
    t.equal((await send(used)).status, 200)
    for (const [what, token] of Object.entries({
      'used before': used,
      'signed by somebody else': await foreign
        .setProtectedHeader({ alg: 'RS256', kid: 'test' })
        .sign(privateKey),
      'of another issuer': await logout({ sub: 'ada', iss: 'https://evil.example' }),
      'for another audience': await logout({ sub: 'ada', aud: 'someone else' }),
      'for nobody': await logout({ sub: 'ada', aud: [] }),
      'without an event': await logout({ sub: 'ada', events: {} }),
      'with no events': await logout({ sub: 'ada', events: null }),
      'with another event': await logout({ sub: 'ada', events: { other: {} } }),
      'with an event that is no object': await logout({
        sub: 'ada',
        events: { [Object.keys(logoutEvent)[0] ?? '']: 1 },
      }),
      'with a nonce': await logout({ sub: 'ada', nonce: 'n' }),
      'of nobody': await logout({}),
      'without an id': await logout({ sub: 'ada', jti: undefined }),
      'with an empty id': await logout({ sub: 'ada', jti: '' }),
      'with a session that is no text': await logout({ sub: 'ada', sid: 7 }),
      'without a time': await logout({ sub: 'ada', iat: undefined }),
      'too old': await logout({ sub: 'ada', iat: now - 700 }),
      expired: await logout({ sub: 'ada', iat: now - 100, exp: now - 60 }),
      'an ID token': await server.sign({ sub: 'ada' }),
      'typed as an access token': await logout({ sub: 'ada' }, { typ: 'at+jwt' }),
      'typed by a number': await logout({ sub: 'ada' }, { typ: 7 as unknown as string }),
      'no token': 'x',
    })) {
      const response = await send(token)
      t.equal(response.status, 400, what)
      t.equal(response.headers.get('cache-control'), 'no-store', what)
      t.same(await response.json(), { error: 'invalid_request' }, what)
    }
    const empty = await fetch(url, { method: 'POST', body: new URLSearchParams() })
    t.equal(empty.status, 400, 'without a token')
    t.ok(await sessionIn(browser, origin))
  })

  t.test('one that the store could not obey may come again', async (t) => {
    const { browser } = await signedIn('ada')
    const token = await logout({ sub: 'ada' })
    const { deleteSessionsByMetadata } = store
    store.deleteSessionsByMetadata = async () => {
      throw new Error('the store is down')
    }
    t.equal((await send(token)).status, 400)
    store.deleteSessionsByMetadata = deleteSessionsByMetadata
    t.equal((await send(token)).status, 200)
    t.equal(await sessionIn(browser, origin), null)
  })
})

t.test('the memory of used logout tokens is bounded', async (t) => {
  const { SeenTokens } = await import('../../../lib/oauth/token/seen-tokens.js')
  const clock = { time: 0, now: () => clock.time }
  const seen = new SeenTokens(clock)
  const token = (jti: string, iss = 'a') => `${iss}\n${jti}`
  t.equal(seen.add(token('1')), true)
  t.equal(seen.add(token('1')), false)
  t.equal(seen.add(token('1', 'b')), true, 'of another issuer')
  clock.time = 660_000
  t.equal(seen.add(token('1')), true, 'it would verify no more')
  for (let i = 0; i < 10_000; i++) seen.add(token(`x${i}`))
  t.equal(seen.size, 10_000)
  t.equal(seen.add(token('1')), true, 'the oldest gave way')
  t.equal(seen.add(token('x9999')), false)
})

t.test('refuses to start without the store that it needs', async (t) => {
  const origin = await appOrigin()
  const providers = { acme: acme({ issuer: 'http://127.0.0.1:1' }) }
  const store = Object.assign(new MemoryStore(), { deleteSessionsByMetadata: undefined })
  await t.rejects(startApp(t, { origin, providers, backchannelLogout: true }, { sessions: { store } }), {
    code: 'GOSESH_ERR_STORE_CAPABILITY',
    message: 'The option backchannelLogout needs a store with the method deleteSessionsByMetadata',
  })
})
