import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import t from 'tap'
import { MemoryStore } from '../../../lib/index.js'
import { acme, appOrigin, scene, signInAt, startApp } from './app.js'
import { Browser } from './browser.js'
import { clientId } from './oidc-server.js'
import { exchange, logoutEvent } from './tokens-fixtures.js'

const verification = { statusCode: 400, code: 'GOSESH_ERR_OAUTH_VERIFICATION' }

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

t.test('a session for an ID token is as old as the sign-in, with the factors that it names', async (t) => {
  const { app, button, server } = await scene(t, {}, { provider: { idTokenExchange: true } })
  const authTime = Math.floor(Date.now() / 1_000) - 500
  const claims = { sub: 'ada', auth_time: authTime, amr: ['pwd', 'otp'], acr: 'urn:acme:mfa' }
  const response = await postJson(`${button}/token`, { id_token: await server.sign(claims) })
  const { token } = (await response.json()) as { token: string }
  t.match(await app.gosesh.verifyToken(token), {
    authenticatedAt: new Date(authTime * 1_000),
    factors: [{ method: 'pwd' }, { method: 'otp', at: new Date(authTime * 1_000) }],
    metadata: { oidc_acr: 'urn:acme:mfa' },
  })
  const ahead = { sub: 'bo', auth_time: authTime + 10_000 }
  const soon = await postJson(`${button}/token`, { id_token: await server.sign(ahead) })
  t.equal(soon.status, 200, 'a clock that is ahead counts as now')
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
    token: /^[\w-]{22}\.[\w-]{43}$/,
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
