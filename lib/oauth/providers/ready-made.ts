import type { CustomFetch } from 'openid-client'
import type {
  OAuth2Provider,
  OAuthProfile,
  OidcOptions,
  OidcProvider,
  ProviderOptions,
} from '../../../types/oauth.js'
import { checkOptionalFunction, checkText } from '../../core/validation.js'
import { unverifiedError } from '../failure.js'
import { boundedFetch } from './bounded-fetch.js'
import { oauth2, oidc } from './providers.js'

/** A ready-made OpenID provider's options: all but what is known about it. */
export type KnownOidcOptions = ProviderOptions &
  Pick<OidcOptions, 'idTokenExchange' | 'nativeClientIds' | 'userInfo'>

export interface MicrosoftOptions extends KnownOidcOptions {
  /** A tenant's id or domain, or `common`, `organizations`, `consumers`. Default: `common`. */
  readonly tenant?: string | undefined
}

const post = { clientAuthentication: 'client_secret_post' } as const

/**
 * The options that are given: one that is `undefined` leaves the provider's own. The secret goes into the body unless
 * they say otherwise; a public client has none.
 */
function byPost<T extends ProviderOptions>(options: T): T {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
  return given.clientSecret === undefined ? given : { ...post, ...given }
}

/** Google accounts. Throws `GOSESH_ERR_OPTION`. developers.google.com/identity/openid-connect */
export function google(options: KnownOidcOptions): OidcProvider {
  return oidc({ issuer: 'https://accounts.google.com', ...byPost(options) })
}

/** The tenant of all personal Microsoft accounts. */
const personalAccounts = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** The issuer `organizations` signs tokens of personal accounts, too, which who asks for it does not want. */
function microsoftSubject(tenant: string, { tid, sub }: OAuthProfile): string {
  // Without the scope `profile` there is no `tid`: then the token names nobody.
  if (typeof tid !== 'string') return ''
  if (tenant.toLowerCase() === 'organizations' && tid.toLowerCase() === personalAccounts) {
    throw unverifiedError('a personal account, where only those of organizations may sign in')
  }
  return `${tid}.${sub}`
}

/**
 * Microsoft Entra ID and Microsoft accounts. The subject is `<tenant id>.<sub>`: with `common` each tenant is an issuer
 * of its own. Throws `GOSESH_ERR_OPTION`. learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
 */
export function microsoft({ tenant = 'common', ...options }: MicrosoftOptions): OidcProvider {
  const checked = checkText('microsoft.tenant', tenant, 'a tenant id or domain', /^[\w.-]+$/)
  return oidc({
    issuer: `https://login.microsoftonline.com/${checked}/v2.0`,
    subject: (profile) => microsoftSubject(checked, profile),
    ...byPost(options),
  })
}

/**
 * Apple accounts. `clientSecret` is a JWT that you sign; give a function that makes a fresh one. It answers by a POST
 * from its own page. Throws `GOSESH_ERR_OPTION`. developer.apple.com/documentation/signinwithapple
 */
export function apple(options: KnownOidcOptions): OidcProvider {
  return oidc({
    issuer: 'https://appleid.apple.com',
    scope: 'openid name email',
    responseMode: 'form_post',
    ...byPost(options),
  })
}

/** Twitch says `scope` as a list where RFC 6749, section 5.1, wants a string. */
const withTwitchScope =
  (send: CustomFetch): CustomFetch =>
  async (url, init) => {
    const response = await send(url, init)
    if (!response.ok || !new URL(url).pathname.endsWith('/token')) return response
    const body = (await response.json()) as Record<string, unknown>
    const scope = Array.isArray(body.scope) ? body.scope.join(' ') : body.scope
    return Response.json({ ...body, scope })
  }

/** Twitch accounts. Throws `GOSESH_ERR_OPTION`. dev.twitch.tv/docs/authentication/getting-tokens-oidc */
export function twitch(options: KnownOidcOptions): OidcProvider {
  const send = boundedFetch(checkOptionalFunction('twitch.fetch', options.fetch) ?? null)
  return oidc({
    issuer: 'https://id.twitch.tv/oauth2',
    scope: 'openid',
    ...byPost(options),
    fetch: withTwitchScope(send),
  })
}

/** GitHub accounts, by their unchangeable numeric id. Throws `GOSESH_ERR_OPTION`. docs.github.com/apps/oauth-apps */
export function github(options: ProviderOptions): OAuth2Provider {
  const provider = oauth2({
    issuer: 'https://github.com/login/oauth',
    authorizationEndpoint: 'https://github.com/login/oauth/authorize',
    tokenEndpoint: 'https://github.com/login/oauth/access_token',
    profileEndpoint: 'https://api.github.com/user',
    scope: 'read:user user:email',
    subject: ({ id }) => id,
    ...byPost(options),
  })
  // The profile has an address only if its user shows it to everybody.
  const mayRead = provider.scope.split(' ').some((scope) => scope === 'user:email' || scope === 'user')
  return Object.freeze({
    ...provider,
    emailsEndpoint: mayRead ? 'https://api.github.com/user/emails' : null,
  })
}

/** Discord accounts, by their id. Throws `GOSESH_ERR_OPTION`. discord.com/developers/docs/topics/oauth2 */
export function discord(options: ProviderOptions): OAuth2Provider {
  return oauth2({
    issuer: 'https://discord.com',
    authorizationEndpoint: 'https://discord.com/oauth2/authorize',
    tokenEndpoint: 'https://discord.com/api/oauth2/token',
    profileEndpoint: 'https://discord.com/api/users/@me',
    scope: 'identify email',
    subject: ({ id }) => id,
    ...byPost(options),
  })
}
