import type {
  ClientAuthentication,
  OAuth2Options,
  OAuth2Provider,
  OidcOptions,
  OidcProvider,
  ProviderOptions,
} from '../../../types/oauth.js'
import {
  checkBoolean,
  checkObject,
  checkOptionalFunction,
  checkText,
  optionError,
} from '../../core/validation.js'
import { checkSecret, checkTextMap, checkTexts, checkUrl } from '../validation.js'

const commonKeys: readonly (keyof ProviderOptions)[] = [
  'clientId',
  'clientSecret',
  'clientAuthentication',
  'scope',
  'authorizationParameters',
  'fetch',
]
const oidcKeys: readonly (keyof OidcOptions)[] = [
  ...commonKeys,
  'issuer',
  'idTokenExchange',
  'nativeClientIds',
  'requireLogoutTokenType',
  'responseMode',
  'userInfo',
  'subject',
  'dangerouslyAllowInsecureIssuer',
]
const oauth2Keys: readonly (keyof OAuth2Options)[] = [
  ...commonKeys,
  'issuer',
  'authorizationEndpoint',
  'tokenEndpoint',
  'profileEndpoint',
  'subject',
  'dangerouslyAllowInsecureEndpoints',
]
/** RFC 6749, section 3.3. */
const scopes = /^[\x21\x23-\x5b\x5d-\x7e ]*$/
/** What each sign-in sets by itself. */
const ownParameters = [
  'client_id',
  'response_type',
  'response_mode',
  'redirect_uri',
  'scope',
  'state',
  'nonce',
  'code_challenge',
  'code_challenge_method',
]

function checkClientAuthentication(
  name: string,
  value: unknown,
  secret: unknown,
): ClientAuthentication | null {
  const fromSecret = value === 'client_secret_basic' || value === 'client_secret_post'
  if (
    value === undefined ||
    value === 'none' ||
    typeof value === 'function' ||
    (fromSecret && secret !== null)
  ) {
    return (value as ClientAuthentication | undefined) ?? null
  }
  const expected = fromSecret
    ? 'given together with clientSecret'
    : "'client_secret_basic', 'client_secret_post', 'none' or what openid-client makes, such as PrivateKeyJwt(key)"
  throw optionError(`${name}.clientAuthentication`, value, expected)
}

function parseAuthorizationParameters(name: string, value: unknown): Readonly<Record<string, string>> {
  const parameters = checkTextMap(name, value)
  for (const key of Object.keys(parameters)) {
    if (ownParameters.includes(key)) throw optionError(`${name}.${key}`, parameters[key], 'left to gosesh')
  }
  return parameters
}

/**
 * Milliseconds before the request by which the user may have signed in at the provider: what `max_age` says, none with
 * `prompt=login`; `null` without either.
 */
function parseMaxAge(
  name: string,
  { max_age: given, prompt }: Readonly<Record<string, string>>,
): number | null {
  if (given !== undefined && !/^\d{1,9}$/.test(given)) {
    throw optionError(`${name}.authorizationParameters.max_age`, given, 'seconds, in digits')
  }
  if (prompt?.split(' ').includes('login')) return 0
  return given === undefined ? null : Number(given) * 1_000
}

function parseCommon(name: string, options: ProviderOptions, defaultScope: string) {
  const { authorizationParameters = {} } = options
  const clientSecret = checkSecret(`${name}.clientSecret`, options.clientSecret)
  return {
    clientId: checkText(`${name}.clientId`, options.clientId, 'the client id that the provider gave you'),
    clientSecret,
    clientAuthentication: checkClientAuthentication(name, options.clientAuthentication, clientSecret),
    scope: checkText(`${name}.scope`, options.scope ?? defaultScope, 'scopes with a space between', scopes),
    authorizationParameters: parseAuthorizationParameters(
      `${name}.authorizationParameters`,
      authorizationParameters,
    ),
    fetch: checkOptionalFunction(`${name}.fetch`, options.fetch) ?? null,
  }
}

/** Any OpenID provider, by discovery. Throws `GOSESH_ERR_OPTION`. OpenID Connect Discovery 1.0. */
export function oidc(options: OidcOptions): OidcProvider {
  const name = 'oidc'
  checkObject(name, options, oidcKeys)
  const { nativeClientIds = [], responseMode = 'query', subject = (profile) => String(profile.sub) } = options
  if (responseMode !== 'query' && responseMode !== 'form_post') {
    throw optionError(`${name}.responseMode`, responseMode, "'query' or 'form_post'")
  }
  const option = 'dangerouslyAllowInsecureIssuer'
  const allowInsecure = checkBoolean(`${name}.${option}`, options[option] ?? false)
  const common = parseCommon(name, options, 'openid email profile')
  if (!common.scope.split(' ').includes('openid')) {
    throw optionError(`${name}.scope`, common.scope, 'scopes with openid among them')
  }
  const idTokenExchange = checkBoolean(`${name}.idTokenExchange`, options.idTokenExchange ?? false)
  if (!idTokenExchange && nativeClientIds.length > 0) {
    throw optionError(
      `${name}.nativeClientIds`,
      nativeClientIds,
      'nothing, or idTokenExchange: true beside it',
    )
  }
  return Object.freeze({
    kind: 'oidc',
    ...common,
    maxAge: parseMaxAge(name, common.authorizationParameters),
    issuer: checkUrl(`${name}.issuer`, options.issuer, { allowed: allowInsecure, option }),
    idTokenExchange,
    nativeClientIds: checkTexts(`${name}.nativeClientIds`, nativeClientIds, 'a client id'),
    requireLogoutTokenType: checkBoolean(
      `${name}.requireLogoutTokenType`,
      options.requireLogoutTokenType ?? false,
    ),
    responseMode,
    userInfo: checkBoolean(`${name}.userInfo`, options.userInfo ?? false),
    subject: checkOptionalFunction(`${name}.subject`, subject) as OidcProvider['subject'],
    allowInsecure,
  })
}

/** A provider that speaks OAuth 2 without OpenID. Throws `GOSESH_ERR_OPTION`. RFC 6749. */
export function oauth2(options: OAuth2Options): OAuth2Provider {
  const name = 'oauth2'
  checkObject(name, options, oauth2Keys)
  const option = 'dangerouslyAllowInsecureEndpoints'
  const allowInsecure = checkBoolean(`${name}.${option}`, options[option] ?? false)
  const checkEndpoint = (key: 'authorizationEndpoint' | 'tokenEndpoint' | 'profileEndpoint'): string =>
    checkUrl(`${name}.${key}`, options[key], { allowed: allowInsecure, option })
  if (typeof options.subject !== 'function')
    throw optionError(`${name}.subject`, options.subject, 'a function')
  const maxAge = options.authorizationParameters?.max_age
  if (maxAge !== undefined) {
    const expected = 'nothing: without OpenID no provider says when its user signed in'
    throw optionError(`${name}.authorizationParameters.max_age`, maxAge, expected)
  }
  const authorizationEndpoint = checkEndpoint('authorizationEndpoint')
  const issuer = options.issuer ?? new URL(authorizationEndpoint).origin
  return Object.freeze({
    kind: 'oauth2',
    ...parseCommon(name, options, ''),
    issuer: checkUrl(`${name}.issuer`, issuer, { allowed: allowInsecure, option }),
    authorizationEndpoint,
    tokenEndpoint: checkEndpoint('tokenEndpoint'),
    profileEndpoint: checkEndpoint('profileEndpoint'),
    emailsEndpoint: null,
    subject: options.subject,
    allowInsecure,
  })
}
