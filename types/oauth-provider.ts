import type { ClientAuth, CustomFetch } from 'openid-client'

/** How the application proves to the token endpoint that it is the client. */
export type ClientAuthentication = 'client_secret_basic' | 'client_secret_post' | 'none' | ClientAuth

/** What every provider is configured with. */
export interface ProviderOptions {
  readonly clientId: string
  /**
   * A function is called for each use: for a secret that is a short-lived token, as Apple's, or in a vault. It has
   * `providerTimeout` to answer; what it fails with is `GOSESH_ERR_OPTION`. Default: none, a public client.
   */
  readonly clientSecret?: string | (() => string | Promise<string>) | undefined
  /**
   * One of the three names, or what openid-client makes, such as `PrivateKeyJwt(key)`. Default: the provider's own
   * choice: `client_secret_basic` unless its metadata lists only others; `none` without a secret.
   */
  readonly clientAuthentication?: ClientAuthentication | undefined
  /** What is asked for. Default: the provider's, `openid email profile` for OpenID. */
  readonly scope?: string | undefined
  /**
   * Further parameters of the authorization request, such as `prompt`. What `max_age` (seconds) and `prompt=login` ask an
   * OpenID provider for is verified by `auth_time` in its answer. Default: none.
   */
  readonly authorizationParameters?: Readonly<Record<string, string>> | undefined
  /** Sends every request to the provider, as through a proxy. Default: the global `fetch`. */
  readonly fetch?: CustomFetch | undefined
}

/** An OpenID provider: everything but the client is discovered at its issuer. */
export interface OidcOptions extends ProviderOptions {
  /** `https://login.acme.example`, exactly as the provider writes it. */
  readonly issuer: string
  /**
   * Turns on `POST /auth/:provider/token`, where an application of a device exchanges an ID token that it got by itself.
   * Each ID token is good once, up to ten minutes after it was issued. Default: `false`.
   */
  readonly idTokenExchange?: boolean | undefined
  /** Clients of the same provider whose ID tokens that route takes beside `clientId`. Default: none. */
  readonly nativeClientIds?: readonly string[] | undefined
  /** Refuses logout tokens that are not typed `logout+jwt` (OWASP ASVS 10.5.5). Default: `false`. */
  readonly requireLogoutTokenType?: boolean | undefined
  /** `form_post`: the provider answers with a POST from its own page, as Apple does. Default: `query`. */
  readonly responseMode?: 'query' | 'form_post' | undefined
  /** Asks the UserInfo endpoint too; its claims are added to the profile. Default: `false`. */
  readonly userInfo?: boolean | undefined
  /** The part of the profile that names the user at this provider for ever. Default: the claim `sub`. */
  readonly subject?: ((profile: OAuthProfile) => string) | undefined
  /** Permits a plain-http issuer: whoever is on the way can sign in as anybody. For tests. Default: `false`. */
  readonly dangerouslyAllowInsecureIssuer?: boolean | undefined
}

/** A provider that speaks OAuth 2 without OpenID: its profile endpoint says who signed in. */
export interface OAuth2Options extends ProviderOptions {
  /** What the provider sends as `iss` (RFC 9207), if it does. Default: the origin of the authorization endpoint. */
  readonly issuer?: string | undefined
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  /** Asked with the access token; answers with a JSON object. */
  readonly profileEndpoint: string
  /**
   * The part of the profile that names the user at this provider for ever: a text, or a whole number, which is written
   * out. Numbers too large for JavaScript are in the profile as strings of their digits.
   */
  readonly subject: (profile: OAuthProfile) => unknown
  /** Permits plain-http endpoints: whoever is on the way can sign in as anybody. For tests. Default: `false`. */
  readonly dangerouslyAllowInsecureEndpoints?: boolean | undefined
}

/** A provider, as `oidc`, `oauth2` and the ready-made ones make it. */
export type OAuthProvider = OidcProvider | OAuth2Provider

interface ProviderBase {
  readonly clientId: string
  readonly clientSecret: string | (() => string | Promise<string>) | null
  readonly clientAuthentication: ClientAuthentication | null
  readonly scope: string
  readonly authorizationParameters: Readonly<Record<string, string>>
  readonly fetch: CustomFetch | null
  readonly allowInsecure: boolean
  readonly subject: (profile: OAuthProfile) => unknown
}

export interface OidcProvider extends ProviderBase {
  readonly kind: 'oidc'
  readonly issuer: string
  /** Milliseconds; `null`: the user may have signed in at the provider however long ago. */
  readonly maxAge: number | null
  readonly idTokenExchange: boolean
  readonly nativeClientIds: readonly string[]
  readonly requireLogoutTokenType: boolean
  readonly responseMode: 'query' | 'form_post'
  readonly userInfo: boolean
}

export interface OAuth2Provider extends ProviderBase {
  readonly kind: 'oauth2'
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly profileEndpoint: string
  /** Where the addresses are that the profile keeps to itself; `null`: nowhere. */
  readonly emailsEndpoint: string | null
}

/** What the provider says about the user: the ID token's claims, or the answer of the profile endpoint. */
export type OAuthProfile = Readonly<Record<string, unknown>>
