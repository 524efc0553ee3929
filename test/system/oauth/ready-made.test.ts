import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import type { CustomFetch } from 'openid-client'
import t from 'tap'
import { apple, discord, github, google, microsoft, twitch } from '../../../lib/oauth/index.js'
import { appOrigin, errorOf, sessionIn, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'

t.test('the ready-made ones', async (t) => {
  const client = { clientId: 'c', clientSecret: 's' }
  t.match(google(client), {
    kind: 'oidc',
    issuer: 'https://accounts.google.com',
    clientAuthentication: 'client_secret_post',
  })
  t.match(google({ clientId: 'c' }), { clientAuthentication: null, clientSecret: null })
  t.match(
    google({
      ...client,
      clientAuthentication: 'client_secret_basic',
      scope: 'openid',
      idTokenExchange: true,
      nativeClientIds: ['n'],
    }),
    {
      clientAuthentication: 'client_secret_basic',
      scope: 'openid',
      nativeClientIds: ['n'],
    },
  )
  t.match(microsoft(client), { issuer: 'https://login.microsoftonline.com/common/v2.0' })
  t.match(microsoft({ ...client, tenant: 'acme.example' }), {
    issuer: 'https://login.microsoftonline.com/acme.example/v2.0',
  })
  t.equal(microsoft(client).subject({ tid: 't', sub: 's' }), 't.s')
  t.equal(microsoft(client).subject({ sub: 's' }), '', 'nobody without the tenant')
  t.throws(() => microsoft({ ...client, tenant: 'a/b' }), { code: 'GOSESH_ERR_OPTION' })
  t.match(apple(client), {
    issuer: 'https://appleid.apple.com',
    responseMode: 'form_post',
    scope: 'openid name email',
  })
  const unset = { ...client, scope: undefined, clientAuthentication: undefined }
  t.match(apple(unset), { scope: 'openid name email', clientAuthentication: 'client_secret_post' })
  t.match(github(unset), { scope: 'read:user user:email', clientAuthentication: 'client_secret_post' })
  t.throws(() => twitch({ ...client, fetch: 'x' as never }), { code: 'GOSESH_ERR_OPTION', message: /fetch/ })
  t.match(twitch(client), { issuer: 'https://id.twitch.tv/oauth2', scope: 'openid' })
  t.match(github(client), { kind: 'oauth2', issuer: 'https://github.com/login/oauth' })
  t.equal(github(client).subject({ id: 7, login: 'changes' }), 7)
  t.match(discord(client), { kind: 'oauth2', scope: 'identify email' })
  t.equal(discord(client).subject({ id: '80351110224678912' }), '80351110224678912')
})

/** An OpenID provider that is nothing but an implementation of `fetch`, at whatever address. */
async function simulated(
  address: string,
  change: (answer: Record<string, unknown>) => object,
  issuer = address,
  userInfo: object = {},
) {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), alg: 'RS256', kid: 'k' }] }
  let claims: Record<string, unknown> = {}
  const send: CustomFetch = async (url) => {
    const { pathname } = new URL(url)
    if (pathname.endsWith('/openid-configuration')) {
      const endpoints = {
        jwks_uri: `${address}/keys`,
        token_endpoint: `${address}/token`,
        userinfo_endpoint: `${address}/userinfo`,
      }
      return Response.json({ issuer, authorization_endpoint: `${address}/authorize`, ...endpoints })
    }
    if (pathname.endsWith('/keys')) return Response.json(jwks)
    if (pathname.endsWith('/userinfo')) return Response.json(userInfo)
    const id_token = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .setIssuedAt()
      .setExpirationTime('1m')
      .sign(privateKey)
    return Response.json(change({ access_token: 'x', token_type: 'bearer', id_token }))
  }
  await jwtVerify(
    await new SignJWT({}).setProtectedHeader({ alg: 'RS256' }).sign(privateKey),
    createLocalJWKSet(jwks),
  )
  return {
    send,
    /** What the provider sends back for this authorization request. */
    answer(
      url: string,
      subject: string,
      more: object = {},
    ): { callback: string; form: Record<string, string> } {
      const { searchParams } = new URL(url)
      const nonce = searchParams.get('nonce')
      claims = { iss: issuer, aud: searchParams.get('client_id'), sub: subject, nonce, ...more }
      const form = { code: 'a-code', state: String(searchParams.get('state')) }
      return { callback: String(searchParams.get('redirect_uri')), form }
    },
  }
}

t.test('an address and whether it is verified come from one source', async (t) => {
  const address = 'https://accounts.google.com'
  for (const [inToken, inUserInfo, expected] of [
    [
      { email: 'ada@work.example' },
      { email: 'ada@home.example', email_verified: true },
      { email: 'ada@work.example' },
    ],
    [
      {},
      { email: 'ada@home.example', email_verified: true },
      { email: 'ada@home.example', email_verified: true },
    ],
    [
      { email: 'ada@work.example', email_verified: false },
      { email_verified: true },
      { email: 'ada@work.example', email_verified: false },
    ],
    [
      { email_verified: true },
      { email: 'ada@home.example', email_verified: false },
      { email: 'ada@home.example', email_verified: false },
    ],
    [{ email_verified: true }, { email: 'ada@home.example' }, { email: 'ada@home.example' }],
    [{ email_verified: true }, {}, {}],
    [
      { email: null, email_verified: true },
      { email: 'ada@home.example', email_verified: false },
      { email: 'ada@home.example', email_verified: false },
    ],
    [
      { email: 'ada@work.example' },
      { email: 'ada@work.example', email_verified: true },
      { email: 'ada@work.example', email_verified: true },
    ],
  ] as const) {
    const { send, answer } = await simulated(address, (body) => body, address, { sub: 'AAA', ...inUserInfo })
    const origin = await appOrigin()
    const profiles: Record<string, unknown>[] = []
    const providers = { google: google({ clientId: 'c', clientSecret: 's', fetch: send, userInfo: true }) }
    await startApp(t, { origin, providers, onSignIn: ({ profile }) => void profiles.push(profile) })
    const browser = new Browser()
    const url = locationOf(await browser.get(`${origin}/auth/google`))
    const { callback, form } = answer(url, 'AAA', inToken)
    t.equal((await browser.get(`${callback}?${new URLSearchParams(form)}`)).status, 303)
    const { email, email_verified } = profiles[0] ?? {}
    t.same(
      {
        ...(email !== undefined && { email }),
        ...(email_verified !== undefined && { email_verified }),
      },
      expected,
    )
  }
})

t.test('Twitch, which says scope as a list', async (t) => {
  const client = { clientId: 'c', clientSecret: 's' }
  for (const scope of [['openid', 'user:read:email'], 'openid']) {
    const { send, answer } = await simulated('https://id.twitch.tv/oauth2', (body) => ({ ...body, scope }))
    const origin = await appOrigin()
    await startApp(t, { origin, providers: { twitch: twitch({ ...client, fetch: send }) } })
    const browser = new Browser()
    const { callback, form } = answer(locationOf(await browser.get(`${origin}/auth/twitch`)), '44322889')
    t.equal((await browser.get(`${callback}?${new URLSearchParams(form)}`)).status, 303)
    t.match(await sessionIn(browser, origin), { metadata: { oidc_sub: '44322889' } })
  }
  const { send } = await simulated('https://id.twitch.tv/oauth2', (body) => body)
  const failing: CustomFetch = async (url, init) =>
    url.endsWith('/token') ? Response.json({ error: 'x' }, { status: 400 }) : await send(url, init)
  const { fetch: wrapped } = twitch({ ...client, fetch: failing })
  const refused = await wrapped?.('https://id.twitch.tv/oauth2/token', {} as never)
  t.same(await refused?.json(), { error: 'x' }, 'errors go through as they are')

  const { fetch: original } = globalThis
  t.teardown(() => Object.assign(globalThis, { fetch: original }))
  globalThis.fetch = async () => Response.json({ scope: ['a', 'b'] })
  const answered = await twitch(client).fetch?.('https://id.twitch.tv/oauth2/token', {} as never)
  t.same(await answered?.json(), { scope: 'a b' }, 'by the global fetch')
})

t.test('Microsoft, where each tenant is an issuer of its own', async (t) => {
  const address = 'https://login.microsoftonline.com/common/v2.0'
  const issuer = (tenant: string) => `https://login.microsoftonline.com/${tenant}/v2.0`
  const { send, answer } = await simulated(address, (body) => body, issuer('{tenantid}'))
  const origin = await appOrigin()
  const providers = { microsoft: microsoft({ clientId: 'c', clientSecret: 's', fetch: send }) }
  const app = await startApp(t, { origin, providers })
  const visit = async (browser: Browser, iss: string) => {
    const url = locationOf(await browser.get(`${origin}/auth/microsoft`))
    const { callback, form } = answer(url, 'AAA', { tid: 'a-tenant', iss })
    return await browser.get(`${callback}?${new URLSearchParams(form)}`)
  }
  const browser = new Browser()
  t.equal((await visit(browser, issuer('a-tenant'))).status, 303)
  t.match(await sessionIn(browser, origin), {
    userId: await app.gosesh.upsertUser('microsoft|a-tenant.AAA'),
    metadata: { oidc_iss: issuer('a-tenant') },
  })
  const other = await visit(new Browser(), issuer('another-tenant'))
  t.equal(await errorOf(other), '400 GOSESH_ERR_OAUTH_VERIFICATION')
})

t.test('Microsoft organizations without personal accounts', async (t) => {
  const personal = '9188040d-6c67-4c5b-b112-36a304b66dad'
  for (const [tenant, tid, named] of [
    ['organizations', 'a-tenant', true],
    ['organizations', personal, false],
    ['Organizations', personal.toUpperCase(), false],
    ['common', personal, true],
    ['consumers', personal, true],
  ] as const) {
    const { subject } = microsoft({ clientId: 'c', tenant })
    if (named) t.equal(subject({ tid, sub: 'AAA' }), `${tid}.AAA`, `${tenant}: ${tid}`)
    else t.throws(() => subject({ tid, sub: 'AAA' }), { code: 'GOSESH_ERR_OAUTH_VERIFICATION' })
  }
})

t.test('Apple, which posts from its own page and wants a fresh secret', async (t) => {
  const secrets: string[] = []
  const { send, answer } = await simulated('https://appleid.apple.com', (body) => body)
  const watched: CustomFetch = async (url, init) => {
    if (url.endsWith('/token'))
      secrets.push(String(new URLSearchParams(String(init.body)).get('client_secret')))
    return await send(url, init)
  }
  const origin = await appOrigin()
  let made = 0
  const clientSecret = () => `secret-${++made}`
  await startApp(t, {
    origin,
    providers: { apple: apple({ clientId: 'com.example', clientSecret, fetch: watched }) },
  })
  for (const secret of ['secret-1', 'secret-2']) {
    const browser = new Browser()
    const { callback, form } = answer(locationOf(await browser.get(`${origin}/auth/apple`)), '000123.abc')
    const user = '{"name":{"firstName":"Ada"}}'
    const done = await browser.post(callback, { ...form, user }, { origin: 'https://appleid.apple.com' })
    t.equal(done.status, 303)
    t.match(await sessionIn(browser, origin), { metadata: { oidc_sub: '000123.abc' } })
    t.equal(secrets.at(-1), secret)
  }
  const browser = new Browser()
  const { callback, form } = answer(locationOf(await browser.get(`${origin}/auth/apple`)), '000123.abc')
  const cancelled = await browser.post(callback, {
    state: String(form.state),
    error: 'user_cancelled_authorize',
  })
  t.equal(await errorOf(cancelled), '403 ', 'its own name for access_denied')
})
