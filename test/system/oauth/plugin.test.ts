import { createHash } from 'node:crypto'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import gosesh, { bearerCredential, type DeviceCodeId, MemoryStore } from '../../../lib/index.js'
import { type OAuthOptions, oauth, oauth2, oidc } from '../../../lib/oauth/index.js'
import { signIn } from '../../tools/app.js'
import { fakeTime } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'

const acme = oidc({
  issuer: 'https://login.acme.example',
  clientId: 'app',
  idTokenExchange: true,
  fetch: async () => {
    throw new TypeError('fetch failed')
  },
})
const required = { origin: 'https://app.example', providers: { acme } }

function build(options: Partial<OAuthOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh)
  app.register(oauth, { ...required, ...options })
  return app
}

t.test('needs gosesh', async (t) => {
  const app = Fastify()
  await t.rejects(async () => await app.register(oauth, required), /gosesh/)
})

t.test('needs the gosesh of its own copy of the package', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fp(async () => {}, { name: 'gosesh' }))
  await t.rejects(async () => await app.register(oauth, {} as never), {
    code: 'GOSESH_ERR_NOT_REGISTERED',
    message: /two copies of the package/,
  })
})

t.test('a wrong option fails start-up, naming it, the value and what would be right', async (t) => {
  const insecure = { name: 'oauth', secure: false }
  const formPost = oidc({ issuer: 'https://a.example', clientId: 'a', responseMode: 'form_post' })
  for (const [options, message] of [
    [{ origen: 'x' }, 'Option origen is a string; expected no such option'],
    [{ origin: undefined }, 'Option origin is undefined; expected an origin such as https://app.example'],
    [{ origin: 'https://app.example/' }, "Option origin is 'https://app.example/'"],
    [{ origin: 'http://app.example' }, 'Option origin'],
    [{ origin: 'ftp://app.example' }, 'Option origin'],
    [{ origin: 'app' }, 'Option origin'],
    [{ providers: undefined }, 'Option providers is undefined; expected an object such as'],
    [{ providers: null }, 'Option providers is null'],
    [{ providers: {} }, 'Option providers is {}'],
    [{ providers: [acme] }, 'Option providers is ['],
    [{ providers: { 'a|b': acme } }, "Option providers is 'a|b'; expected names of letters"],
    [{ providers: { device: acme } }, "Option providers is 'device'"],
    [{ providers: { acme: {} } }, 'Option providers.acme'],
    [{ providers: { acme: null } }, 'Option providers.acme'],
    [{ prefix: 'auth' }, "Option prefix is 'auth'; expected a path such as /auth"],
    [{ prefix: '/auth/' }, 'Option prefix'],
    [{ defaultPage: '//evil.example' }, 'Option defaultPage'],
    [{ defaultPage: 7 }, 'Option defaultPage is 7'],
    [{ signOutPage: 'bye' }, 'Option signOutPage'],
    [{ signInPage: 'in' }, 'Option signInPage'],
    [{ allowedReturnOrigins: 'https://a.example' }, 'Option allowedReturnOrigins'],
    [{ allowedReturnOrigins: ['https://a.example/x'] }, 'Option allowedReturnOrigins[0]'],
    [{ onSignIn: {} }, 'Option onSignIn is {}; expected a function'],
    [{ metadata: {} }, 'Option metadata'],
    [{ errorPage: 'x' }, 'Option errorPage'],
    [{ texts: 'x' }, 'Option texts'],
    [{ texts: { titel: 'x' } }, 'Option texts.titel'],
    [{ texts: { allow: 7 } }, 'Option texts.allow is 7'],
    [{ texts: { consentClient: 'Connect?' } }, 'expected a text with {client}'],
    [{ texts: { allow: 'Allow {client}' } }, 'expected a text without placeholders'],
    [{ texts: { language: '<en>' } }, 'Option texts.language'],
    [{ texts: { language: 'e' } }, 'expected a language tag such as en or pt-BR'],
    [{ texts: { errors: { GOSESH_ERR_OTHER: 'x' } } }, 'Option texts.errors.GOSESH_ERR_OTHER'],
    [{ texts: { errors: { GOSESH_ERR_CROSS_ORIGIN: 7 } } }, 'Option texts.errors.GOSESH_ERR_CROSS_ORIGIN'],
    [{ deviceAuthorization: { account: 'x' } }, 'Option deviceAuthorization.account'],
    [{ deviceAuthorization: { place: 'x' } }, 'Option deviceAuthorization.place'],
    [{ deviceAuthorization: { devicesPage: 'x' } }, 'Option deviceAuthorization.devicesPage'],
    [{ deviceAuthorization: 'x' }, 'Option deviceAuthorization'],
    [{ deviceAuthorization: { expires: 1 } }, 'Option deviceAuthorization.expires'],
    [{ deviceAuthorization: { clients: ['a'] } }, 'Option deviceAuthorization.clients'],
    [{ deviceAuthorization: { clients: { a: 7 } } }, 'Option deviceAuthorization.clients.a is 7'],
    [{ deviceAuthorization: { expiresIn: 0 } }, 'Option deviceAuthorization.expiresIn'],
    [{ deviceAuthorization: { interval: '5s' } }, 'Option deviceAuthorization.interval'],
    [{ deviceAuthorization: { maxAttempts: 0 } }, 'Option deviceAuthorization.maxAttempts'],
    [{ deviceAuthorization: true, providers: { a: acme, b: acme } }, 'Option signInPage is undefined'],
    [{ backchannelLogout: 'yes' }, 'Option backchannelLogout'],
    [{ transactionTimeout: 0 }, 'Option transactionTimeout'],
    [{ providerTimeout: -1 }, 'Option providerTimeout'],
    [{ cookie: { name: 'a b' } }, 'Option cookie.name'],
    [{ cookie: { secure: 'no' } }, 'Option cookie.secure'],
    [
      { cookie: { secure: false } },
      'Option cookie.secure is false; expected true, as the name is __Host-oauth',
    ],
    [
      { cookie: insecure, providers: { a: formPost } },
      'Option cookie.secure is false; expected true, as the provider a',
    ],
    [{ cookie: { path: '/' } }, 'Option cookie.path'],
    [{ clock: {} }, 'Option clock'],
  ] as const) {
    const app = Fastify()
    await app.register(gosesh)
    const register = async () =>
      await app.register(oauth, { ...required, ...(options as object) } as OAuthOptions)
    const error = (await register().then(
      () => new Error(`accepted ${JSON.stringify(options)}`),
      (error) => error,
    )) as Error & { code?: string }
    t.equal(error.code, 'GOSESH_ERR_OPTION', error.message)
    t.match(error.message, message)
    await app.close()
  }
})

t.test('a wrong option of a provider fails where it is made', async (t) => {
  const id = { issuer: 'https://login.acme.example', clientId: 'app' }
  const endpoints = {
    clientId: 'app',
    authorizationEndpoint: 'https://a.example/a',
    tokenEndpoint: 'https://a.example/t',
    profileEndpoint: 'https://a.example/p',
    subject: () => 'x',
  }
  for (const [options, message] of [
    [{ issuer: undefined }, 'Option oidc.issuer is undefined; expected an https URL'],
    [{ issuer: 'http://login.acme.example' }, 'http only with dangerouslyAllowInsecureIssuer'],
    [{ issuer: 'ftp://login.acme.example', dangerouslyAllowInsecureIssuer: true }, 'Option oidc.issuer'],
    [{ issuer: 'https://user@login.acme.example' }, 'Option oidc.issuer'],
    [{ issuer: 'https://:password@login.acme.example' }, 'Option oidc.issuer'],
    [{ issuer: 'https://login.acme.example/?a' }, 'Option oidc.issuer'],
    [{ dangerouslyAllowInsecureIssuer: 1 }, 'Option oidc.dangerouslyAllowInsecureIssuer'],
    [{ clientId: '' }, 'Option oidc.clientId'],
    [{ clientSecret: '' }, 'Option oidc.clientSecret is a string; expected a non-empty string'],
    [{ clientSecret: 7 }, 'Option oidc.clientSecret'],
    [{ clientAuthentication: 'client_secret_basic' }, 'expected given together with clientSecret'],
    [{ clientAuthentication: 'jwt' }, 'Option oidc.clientAuthentication'],
    [{ scope: 'email' }, "Option oidc.scope is 'email'; expected scopes with openid among them"],
    [{ scope: 'a\nb' }, 'Option oidc.scope'],
    [
      { authorizationParameters: { state: 'x' } },
      "Option oidc.authorizationParameters.state is 'x'; expected left to gosesh",
    ],
    [
      { authorizationParameters: { max_age: '1h' } },
      "Option oidc.authorizationParameters.max_age is '1h'; expected seconds, in digits",
    ],
    [{ authorizationParameters: null }, 'Option oidc.authorizationParameters'],
    [{ nativeClientIds: 'x', idTokenExchange: true }, 'Option oidc.nativeClientIds'],
    [{ nativeClientIds: [7], idTokenExchange: true }, 'Option oidc.nativeClientIds[0] is 7'],
    [{ nativeClientIds: ['x'] }, 'expected nothing, or idTokenExchange: true beside it'],
    [{ requireLogoutTokenType: 1 }, 'Option oidc.requireLogoutTokenType'],
    [{ responseMode: 'fragment' }, "Option oidc.responseMode is 'fragment'; expected 'query' or 'form_post'"],
    [{ userInfo: 'yes' }, 'Option oidc.userInfo'],
    [{ subject: 'sub' }, 'Option oidc.subject'],
    [{ fetch: 'x' }, 'Option oidc.fetch'],
    [{ clientID: 'x' }, 'Option oidc.clientID'],
  ] as const) {
    const error = { code: 'GOSESH_ERR_OPTION', message: new RegExp(message.replace(/[[\]().?]/g, '\\$&')) }
    t.throws(() => oidc({ ...id, ...(options as object) }), error, message)
  }
  for (const [options, message] of [
    [{ subject: undefined }, /oauth2.subject/],
    [{ tokenEndpoint: 'http://a.example/t' }, /oauth2.tokenEndpoint/],
    [{ profileEndpoint: undefined }, /oauth2.profileEndpoint/],
    [{ issuer: 'a' }, /oauth2.issuer/],
    [
      { authorizationParameters: { max_age: '60' } },
      /oauth2.authorizationParameters.max_age is '60'; expected nothing/,
    ],
    [{ dangerouslyAllowInsecureEndpoints: 'yes' }, /oauth2.dangerouslyAllowInsecureEndpoints/],
    [{ responseMode: 'query' }, /oauth2.responseMode/],
  ] as const) {
    t.throws(() => oauth2({ ...endpoints, ...(options as object) }), { code: 'GOSESH_ERR_OPTION', message })
  }
  t.match(oauth2(endpoints), { issuer: 'https://a.example', scope: '' })
  t.match(
    oauth2({
      ...endpoints,
      authorizationEndpoint: 'http://[::1]/a',
      dangerouslyAllowInsecureEndpoints: true,
    }),
    {
      issuer: 'http://[::1]',
    },
  )
})

t.test('works over plain http on this machine, and elsewhere with a cookie that is not Secure', async (t) => {
  for (const origin of [
    'http://localhost:3000',
    'http://app.localhost',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ]) {
    await build({ origin }).ready()
  }
  const cookie = { name: 'oauth', secure: false }
  await build({ origin: 'http://intranet', cookie, allowedReturnOrigins: ['http://wiki'] }).ready()
  t.pass()
})

t.test('app.redirectToSignIn', async (t) => {
  const app = build()
  app.register(async (inner) => {
    inner.addHook('onRequest', app.redirectToSignIn())
    inner.get('/inbox', async () => 'mail')
    inner.post('/inbox', async () => 'sent')
  })
  app.register(async (inner) => {
    inner.addHook('onRequest', app.redirectToSignIn('/welcome?lang=en'))
    inner.get('/other', async () => 'other')
  })
  app.post('/login', async (_request, reply) => await reply.signIn('ada'))
  const next = `/auth/acme?${new URLSearchParams({ next: '/inbox?page=2' })}`
  for (const headers of [{ 'sec-fetch-mode': 'navigate' }, { accept: 'text/html,*/*' }]) {
    const sent = await app.inject({ url: '/inbox?page=2', headers })
    t.equal(sent.statusCode, 303)
    t.equal(sent.headers.location, next)
    t.equal(sent.headers['cache-control'], 'no-store')
  }
  for (const headers of [
    {},
    { accept: 'application/json' },
    { 'sec-fetch-mode': 'cors', accept: 'text/html' },
  ]) {
    const refused = await app.inject({ url: '/inbox', headers })
    t.match(refused.json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
  }
  const posted = await app.inject({ method: 'POST', url: '/inbox', headers: { accept: 'text/html' } })
  t.equal(posted.statusCode, 401)
  const other = await app.inject({ url: '/other', headers: { accept: 'text/html' } })
  t.equal(other.headers.location, '/welcome?lang=en&next=%2Fother')
  const { cookie } = await signIn(app)
  t.equal((await app.inject({ url: '/inbox', headers: { cookie } })).body, 'mail')

  const several = build({ providers: { a: acme, b: acme } })
  await several.ready()
  t.throws(() => several.redirectToSignIn(), { code: 'GOSESH_ERR_OPTION', message: /redirectToSignIn/ })
  t.throws(() => several.redirectToSignIn('//evil.example'), { code: 'GOSESH_ERR_OPTION' })
  t.equal(typeof several.redirectToSignIn('/in'), 'function')
})

t.test('an application without cookies takes tokens all the same', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh, { credentials: [bearerCredential()] })
  await app.register(oauth, { ...required, prefix: '/sso/v1' })
  const answer = await app.inject({ method: 'POST', url: '/sso/v1/acme/token', body: { id_token: 'x' } })
  t.match(answer.json(), { statusCode: 503, code: 'GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE' })
  const none = await app.inject({ method: 'POST', url: '/sso/v1/acme/token' })
  t.match(none.json(), { statusCode: 400, code: 'GOSESH_ERR_OAUTH_REQUEST' })
  t.equal((await app.inject({ method: 'POST', url: '/sso/v1/acme/backchannel-logout' })).statusCode, 404)
  t.equal((await app.inject({ method: 'POST', url: '/sso/v1/device/code' })).statusCode, 404)
})

t.test('in a context with a prefix, the routes and what leads to them agree', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh, { credentials: [bearerCredential()] })
  await app.register(
    async (api) => {
      await api.register(oauth, { ...required, deviceAuthorization: true })
      t.equal(typeof api.redirectToSignIn, 'function')
    },
    { prefix: '/api' },
  )
  const { verification_uri } = (await app.inject({ method: 'POST', url: '/api/auth/device/code' })).json()
  t.equal(verification_uri, 'https://app.example/api/auth/device')
  const sent = await app.inject('/api/auth/device')
  t.equal(sent.headers.location, '/api/auth/acme?next=%2Fapi%2Fauth%2Fdevice')
  t.equal((await app.inject('/api/auth/acme')).statusCode, 503)
})

t.test('leaves the content types of the application alone', async (t) => {
  const app = build()
  app.post('/form', async (request) => request.body)
  const form = {
    method: 'POST',
    body: 'a=1',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  } as const
  t.equal((await app.inject({ ...form, url: '/form' })).statusCode, 415)
  t.equal((await app.inject({ ...form, url: '/auth/sign-out' })).statusCode, 303)
})

t.test('expired device codes are swept, and a failure is logged', async (t) => {
  const time = fakeTime(t)
  const logger = recordingLogger()
  const store = new MemoryStore()
  const app = Fastify({
    loggerInstance: Object.assign(logger, { child: () => logger, fatal() {}, trace() {} }) as never,
  })
  t.teardown(() => app.close())
  app.register(gosesh, { store, credentials: [bearerCredential()] })
  app.register(oauth, { ...required, deviceAuthorization: true })
  const started = await app.inject({ method: 'POST', url: '/auth/device/code' })
  const { device_code } = started.json()
  const id = createHash('sha256').update(device_code).digest('base64url') as DeviceCodeId
  t.ok(await store.deviceCodes.getDeviceCode(id))
  await time.advance(1_800_000, 60_000)
  t.equal(await store.deviceCodes.getDeviceCode(id), null)
  store.deviceCodes.deleteExpiredDeviceCodes = async () => {
    throw new Error('the store is down')
  }
  await time.advance(600_000, 60_000)
  t.ok(logger.withMessage('expired device codes stay').length > 0)
})
