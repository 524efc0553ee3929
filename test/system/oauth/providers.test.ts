import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { CustomFetch } from 'openid-client'
import t, { type Test } from 'tap'
import { type OAuth2Options, type OAuthProvider, type OAuthSignIn, oauth2 } from '../../../lib/oauth/index.js'
import { appOrigin, errorOf, sessionIn, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'

interface Hub {
  readonly url: string
  /** What the token endpoint was sent. */
  readonly grants: Record<string, string>[]
  /** What the profile endpoint answers. */
  profile: { status: number; body: string }
  /** What the token endpoint answers instead. */
  token: object | null
  /** What the callback carries beside code and state. */
  extra: Record<string, string>
}

/** A server that speaks what GitHub speaks: OAuth 2 with a profile endpoint, and no OpenID. */
async function startHub(t: Test): Promise<Hub> {
  const server = createServer(async (request, response) => {
    const url = new URL(String(request.url), hub.url)
    if (url.pathname === '/login/oauth/authorize') {
      const callback = new URL(String(url.searchParams.get('redirect_uri')))
      const state = String(url.searchParams.get('state'))
      callback.search = new URLSearchParams({ code: 'the-code', state, ...hub.extra }).toString()
      response.writeHead(302, { location: callback.href }).end()
      return
    }
    let body = ''
    for await (const chunk of request) body += chunk
    response.setHeader('content-type', 'application/json')
    if (url.pathname === '/login/oauth/access_token') {
      hub.grants.push(Object.fromEntries(new URLSearchParams(body)))
      // GitHub says its errors with 200.
      response.end(JSON.stringify(hub.token ?? { access_token: 'gho_x', token_type: 'bearer', scope: '' }))
      return
    }
    const authorized = request.headers.authorization === 'Bearer gho_x' && request.headers['user-agent']
    response.writeHead(authorized ? hub.profile.status : 401).end(hub.profile.body)
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  await once(server, 'listening')
  const hub: Hub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    grants: [],
    profile: { status: 200, body: '{"id":583231,"login":"octocat"}' },
    token: null,
    extra: {},
  }
  return hub
}

function hubProvider(url: string, options: Partial<OAuth2Options> = {}): OAuthProvider {
  return oauth2({
    issuer: `${url}/login/oauth`,
    authorizationEndpoint: `${url}/login/oauth/authorize`,
    tokenEndpoint: `${url}/login/oauth/access_token`,
    profileEndpoint: `${url}/user`,
    subject: ({ id }) => id,
    clientId: 'hub-client',
    clientSecret: 'hub-secret',
    clientAuthentication: 'client_secret_post',
    dangerouslyAllowInsecureEndpoints: true,
    ...options,
  })
}

t.test('a provider of OAuth 2 without OpenID', async (t) => {
  const hub = await startHub(t)
  const origin = await appOrigin()
  const button = `${origin}/auth/hub`
  const seen: OAuthSignIn[] = []
  const app = await startApp(t, {
    origin,
    providers: {
      hub: hubProvider(hub.url, { scope: 'read:user', authorizationParameters: { allow_signup: 'false' } }),
    },
    onSignIn: (signIn) => void seen.push(signIn),
  })
  const begin = async (browser: Browser) => {
    const url = locationOf(await browser.get(button))
    const response = await fetch(url, { redirect: 'manual' })
    return { url: new URL(url), callback: locationOf(response) }
  }
  const visit = async () => {
    const browser = new Browser()
    return await browser.get((await begin(browser)).callback)
  }

  t.test('signs in', async (t) => {
    const browser = new Browser()
    const { url, callback } = await begin(browser)
    const { state, code_challenge, ...rest } = Object.fromEntries(url.searchParams)
    t.same(rest, {
      allow_signup: 'false',
      client_id: 'hub-client',
      response_type: 'code',
      redirect_uri: `${button}/callback`,
      scope: 'read:user',
      code_challenge_method: 'S256',
    })
    t.ok(state && code_challenge)
    t.equal(locationOf(await browser.get(callback)), `${origin}/`)
    t.match(hub.grants, [
      {
        grant_type: 'authorization_code',
        code: 'the-code',
        code_verifier: /^[\w-]{43}$/,
        client_secret: 'hub-secret',
      },
    ])
    const session = await sessionIn(browser, origin)
    t.equal(session?.userId, await app.gosesh.upsertUser('hub|583231'))
    t.same(session?.metadata, { provider: 'hub' })
    t.match(seen, [
      { subject: '583231', profile: { login: 'octocat' }, claims: null, tokens: { access_token: 'gho_x' } },
    ])
  })

  t.test('its issuer is checked where it says it', async (t) => {
    hub.extra = { iss: `${hub.url}/login/oauth` }
    t.equal((await visit()).status, 303)
    hub.extra = { iss: 'https://evil.example' }
    t.equal(await errorOf(await visit()), '400 GOSESH_ERR_OAUTH_VERIFICATION')
    hub.extra = {}
  })

  t.test('an error that it says with 200', async (t) => {
    hub.token = { error: 'bad_verification_code', error_description: 'The code is incorrect or expired.' }
    t.equal(await errorOf(await visit()), '400 GOSESH_ERR_OAUTH_VERIFICATION')
    hub.token = null
  })

  t.test('a profile that names nobody', async (t) => {
    for (const [status, body, error] of [
      [200, '{}', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [200, '{"id":""}', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [200, '{"id":null}', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [200, '{"id":true}', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [200, '{"id":1.5}', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [200, '{"id":1e300}', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [200, 'null', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [200, 'no JSON', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [403, '{"message":"rate limit"}', '502 GOSESH_ERR_OAUTH_PROVIDER'],
      [429, '{}', '503 GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'],
      [500, '{}', '503 GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'],
    ] as const) {
      hub.profile = { status, body }
      t.equal(await errorOf(await visit()), error, body)
    }
    hub.profile = { status: 200, body: '{"id":"text"}' }
    t.equal((await visit()).status, 303)
  })

  t.test('whose ids are larger than a number can be keeps its users apart', async (t) => {
    const users = new Set<string>()
    for (const id of ['9007199254740992', '9007199254740993', '-9007199254740993']) {
      hub.profile = { status: 200, body: `{"id":${id},"text":"9007199254740993 \\" 9007199254740994"}` }
      t.equal((await visit()).status, 303)
      users.add(String(seen.at(-1)?.subject))
      t.equal(seen.at(-1)?.profile.text, '9007199254740993 " 9007199254740994', 'texts are left alone')
    }
    t.same([...users], ['9007199254740992', '9007199254740993', '-9007199254740993'])
  })

  t.test('is not believed if its token endpoint gives an ID token, which nothing verifies', async (t) => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const claims = {
      iss: `${hub.url}/login/oauth`,
      aud: 'hub-client',
      sub: 'root',
      iat: now(),
      exp: now() + 60,
    }
    const id_token = `${part({ alg: 'RS256' })}.${part(claims)}.AAAA`
    hub.profile = { status: 200, body: '{"id":583231}' }
    hub.token = { access_token: 'gho_x', token_type: 'bearer', id_token }
    t.equal((await visit()).status, 303)
    t.equal(seen.at(-1)?.claims, null)
    hub.token = null
  })
})

function now(): number {
  return Math.floor(Date.now() / 1_000)
}

t.test('what the application throws while it reads a profile is its own', async (t) => {
  const hub = await startHub(t)
  const origin = await appOrigin()
  const subject = (profile: { data?: { id?: unknown } }) => (profile.data as { id: unknown }).id
  await startApp(t, { origin, providers: { hub: hubProvider(hub.url, { subject }) } })
  const browser = new Browser()
  const url = locationOf(await browser.get(`${origin}/auth/hub`))
  const failed = await browser.get(locationOf(await fetch(url, { redirect: 'manual' })))
  t.match(await failed.json(), { statusCode: 500, message: /undefined/ })
})

t.test('a fetch of its own, and no scope', async (t) => {
  const hub = await startHub(t)
  const origin = await appOrigin()
  const urls: string[] = []
  const send: CustomFetch = async (url, init) => {
    urls.push(new URL(url).pathname)
    return await fetch(url, init as RequestInit)
  }
  const providers = { hub: hubProvider(hub.url, { fetch: send, clientAuthentication: undefined }) }
  await startApp(t, { origin, providers })
  const browser = new Browser()
  const url = locationOf(await browser.get(`${origin}/auth/hub`))
  t.notOk(new URL(url).searchParams.has('scope'))
  const callback = locationOf(await fetch(url, { redirect: 'manual' }))
  t.equal((await browser.get(callback)).status, 303)
  t.same(urls, ['/login/oauth/access_token', '/user'])
  t.notOk('client_secret' in (hub.grants[0] ?? {}), 'the default of RFC 6749 is the header')
})

t.test('an answer that breaks off', async (t) => {
  const hub = await startHub(t)
  const origin = await appOrigin()
  let broken = ''
  let failure: unknown
  const send: CustomFetch = async (url, init) => {
    if (!url.endsWith(broken)) return await fetch(url, init as RequestInit)
    const body = new ReadableStream({ pull: (controller) => controller.error(failure) })
    return new Response(body, { headers: { 'content-type': 'application/json' } })
  }
  await startApp(t, { origin, providers: { hub: hubProvider(hub.url, { fetch: send }) } })
  for (const path of ['/access_token', '/user']) {
    for (const error of [new DOMException('late', 'TimeoutError'), new TypeError('terminated')]) {
      broken = path
      failure = error
      const browser = new Browser()
      const url = locationOf(await browser.get(`${origin}/auth/hub`))
      const callback = locationOf(await fetch(url, { redirect: 'manual' }))
      const page = await browser.get(callback)
      t.equal(await errorOf(page), '503 GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE', `${path}: ${error}`)
    }
  }
})
