import Fastify from 'fastify'
import t from 'tap'
import gosesh from '../../../lib/index.js'
import { type OAuthOptions, oauth, oauth2, oidc } from '../../../lib/oauth/index.js'

const acme = oidc({
  issuer: 'https://login.acme.example',
  clientId: 'app',
  idTokenExchange: true,
  fetch: async () => {
    throw new TypeError('fetch failed')
  },
})
const required = { origin: 'https://app.example', providers: { acme } }

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
