import type { FastifyRequest } from 'fastify'
import type { IDToken, TokenEndpointResponse } from 'openid-client'
import type { GoseshError, GoseshErrorCode } from './errors.js'
import type { OAuthProfile, OAuthProvider } from './oauth-provider.js'
import type { Clock } from './options.js'
import type { RedirectToSignInHook } from './return-to.js'
import type { SessionMetadata } from './session.js'

export type * from './oauth-provider.js'

/** A sign-in that the provider vouches for, before it becomes a session. */
export interface OAuthSignIn {
  /** The name of the provider in the option `providers`. */
  readonly provider: string
  /** The user at this provider; never an email address, which may change hands. */
  readonly subject: string
  readonly profile: OAuthProfile
  /** The verified ID token's; `null` if the provider does not speak OpenID. */
  readonly claims: IDToken | null
  /** The token endpoint's answer; of an exchanged ID token, that alone. */
  readonly tokens: Partial<TokenEndpointResponse>
  /**
   * When the user signed in at the provider (`auth_time`), which may be long ago: a browser that is signed in there is sent
   * back at once. `null` if the provider does not say; the session is then authenticated now.
   */
  readonly authenticatedAt: Date | null
  /** How they signed in there (`amr`), by the names of RFC 8176; empty if the provider does not say. */
  readonly factors: readonly string[]
}

/** What `onSignIn` decides: `undefined` goes on as usual. */
export type SignInDecision =
  | {
      /** Who signs in. Default: `upsertUser('<provider>|<subject>')`. */
      readonly userId?: string | undefined
      /** Kept with the session, over what the option `metadata` says. */
      readonly metadata?: SessionMetadata | undefined
      /** As of `reply.signIn`. In a browser only; not for an exchanged ID token. */
      readonly persistent?: boolean | undefined
      /** Keys of the visitor's data, as of `reply.signIn`. In a browser only; not for an exchanged ID token. */
      readonly carry?: readonly string[] | undefined
    }
  /** The reason, which the user sees. */
  | { readonly refuse: string }
  | undefined

/** What the pages of gosesh/oauth say. A text with `{name}` in it has to keep that. */
export interface OAuthTexts {
  /** The `lang` of the pages, and the language of times, such as `pt-BR`. Default: `en`. */
  readonly language: string
  /** Title: the user cancelled at the provider. */
  readonly signInCancelled: string
  /** Title: any other error of a sign-in or a sign-out. */
  readonly signInFailed: string
  /** Title: an error on the page for a device's code. */
  readonly deviceFailed: string
  /** The link to the page that was asked for. */
  readonly goBack: string
  /** The link that starts again. */
  readonly tryAgain: string
  /** In place of the message of a 503 of the server's own. */
  readonly unavailable: string
  /** In place of messages that say what is inside. */
  readonly unknownProblem: string
  /** By their codes, in place of the messages of errors that users may read. Default: those messages. */
  readonly errors: Readonly<Partial<Record<GoseshErrorCode, string>>>
  /** Title: where the code is typed. */
  readonly codeTitle: string
  readonly codeLabel: string
  readonly codeContinue: string
  /** Title: where the user decides. */
  readonly consentTitle: string
  /** Has `{client}`; the code follows. */
  readonly consentClient: string
  /** The same for a client without a name. */
  readonly consentDevice: string
  readonly consentWarning: string
  /** Before the option `account`'s answer. */
  readonly account: string
  /** Before how long ago the device asked. */
  readonly requestedAt: string
  /** Before where the device is. */
  readonly place: string
  /** Has `{place}`: the device is where the browser is. */
  readonly samePlace: string
  /** Has `{place}` and `{browserPlace}`. */
  readonly otherPlace: string
  readonly allow: string
  readonly deny: string
  /** Title: the user allowed it, and the device has not asked again yet. */
  readonly allowedTitle: string
  readonly allowedText: string
  /** Title: the user denied it. */
  readonly deniedTitle: string
  readonly deniedText: string
  /** The button that takes back what was allowed. */
  readonly undo: string
  /** Title: it was taken back. */
  readonly undoneTitle: string
  readonly undoneText: string
  /** Title: there is nothing to take back any more, or the store cannot list sessions. */
  readonly notUndoneTitle: string
  readonly notUndoneText: string
  /** The link to `devicesPage`. */
  readonly devices: string
}

/** What a page of device authorization says. */
export interface DevicePage {
  /** Text, for the title and the heading. */
  readonly title: string
  /** HTML: paragraphs, a list of facts, a form. Its classes are `code`, `actions` and `facts`. */
  readonly body: string
}

/** Options of `deviceAuthorization`. Durations are milliseconds. */
export interface DeviceAuthorizationOptions {
  /** `client_id` and the name that the user sees. Default: any client, which the user sees by its `client_id`. */
  readonly clients?: Readonly<Record<string, string>> | undefined
  /** How long a code can be typed. Default: 600,000. */
  readonly expiresIn?: number | undefined
  /** What a client waits between polls. Default: 5,000. */
  readonly interval?: number | undefined
  /**
   * How long ago the user may have signed in who allows a device; an older sign-in is asked for anew. `null`: however long.
   * Default: 600,000.
   */
  readonly approvalMaxAge?: number | null | undefined
  /** Wrong codes that a user may type in a minute, in this process. Default: 5. */
  readonly maxAttempts?: number | undefined
  /**
   * Names the account to its user, who decides for it whether to allow a device: an email address, say. Default: the
   * user id.
   */
  readonly account?: ((request: FastifyRequest) => string | Promise<string>) | undefined
  /**
   * Where a request comes from, in words for the user who decides; `null`: not known. Called for the device and for the
   * browser. Default: `request.ip`, which needs Fastify's `trustProxy` behind a proxy.
   */
  readonly place?: ((request: FastifyRequest) => string | null | Promise<string | null>) | undefined
  /** A path, linked once the user has decided: where they see and end their sessions. Default: none. */
  readonly devicesPage?: string | undefined
  /** The HTML document of a page, in the application's look; no other page can frame it. Default: a short page. */
  readonly page?: ((page: DevicePage, request: FastifyRequest) => string | Promise<string>) | undefined
}

/** What `errorPage` may use beside the error. */
export interface ErrorPageContext {
  /** The page that the user asked for before the sign-in; `defaultPage` if that is not known. An absolute URL. */
  readonly returnTo: string
}

export interface TransactionCookieOptions {
  /** The beginning of the name of each; a short id follows. Default: `__Host-oauth`. */
  readonly name?: string | undefined
  /** Default: `true`. Browsers other than Safari send such a cookie to `http://localhost`, too. */
  readonly secure?: boolean | undefined
}

/** Options of `app.register(oauth, options)`. A wrong one rejects start-up with `GOSESH_ERR_OPTION`. */
export interface OAuthOptions {
  /** Where browsers reach the application: `https://app.example`. */
  readonly origin: string
  /** By the names that the routes and the user ids carry. */
  readonly providers: Readonly<Record<string, OAuthProvider>>
  /** Where the routes are. Default: `/auth`. Never `undefined`, as Fastify's own option of this name. */
  readonly prefix?: string
  /** Where a browser goes after sign-in without a (permitted) `next`. Default: `/`. */
  readonly defaultPage?: string | undefined
  /** Where a browser goes after sign-out. Default: `/`. */
  readonly signOutPage?: string | undefined
  /**
   * Where a browser signs in. Default: the route of the only provider; with several there is none, and
   * `deviceAuthorization` needs one.
   */
  readonly signInPage?: string | undefined
  /** Origins beside `origin` to which `next` may lead. Default: none. */
  readonly allowedReturnOrigins?: readonly string[] | undefined
  /** Called once the provider has vouched for the user, before there is a session. */
  readonly onSignIn?:
    | ((signIn: OAuthSignIn, request: FastifyRequest) => SignInDecision | Promise<SignInDecision>)
    | undefined
  /** Kept with each session beside `provider` and the `oidc_` keys. */
  readonly metadata?: ((request: FastifyRequest) => SessionMetadata | Promise<SessionMetadata>) | undefined
  /** The HTML of the page for an error. Default: a short page. */
  readonly errorPage?:
    | ((error: GoseshError, request: FastifyRequest, context: ErrorPageContext) => string | Promise<string>)
    | undefined
  /** What the pages say; those that are left out are `defaultTexts`. */
  readonly texts?: { readonly [Name in keyof OAuthTexts]?: OAuthTexts[Name] | undefined } | undefined
  /** Device authorization (RFC 8628); `true` takes the defaults. Needs a `DeviceCodeStore`. Default: off. */
  readonly deviceAuthorization?: boolean | DeviceAuthorizationOptions | undefined
  /** Back-channel logout (OpenID). Needs a store with `deleteSessionsByMetadata`. Default: `false`. */
  readonly backchannelLogout?: boolean | undefined
  /** How long a sign-in at the provider may take, in milliseconds. Default: 600,000. */
  readonly transactionTimeout?: number | undefined
  /** How long a provider has for an answer, in milliseconds, rounded up to seconds. Default: 5,000. */
  readonly providerTimeout?: number | undefined
  /** Of the short-lived cookies that bind a sign-in to its browser. */
  readonly cookie?: TransactionCookieOptions | undefined
  /** Give it what gosesh was given. Default: `Date`. */
  readonly clock?: Clock | undefined
}

/** Options of `reply.signOutOfProvider`. */
export interface SignOutOfProviderOptions {
  /** The ID token of the sign-in, if the application kept it: providers then ask no question. */
  readonly idTokenHint?: string | undefined
}

/** Options of `reply.redirectToProvider`. What a provider is asked for is verified in its answer. */
export interface RedirectToProviderOptions {
  /** The page after it, on the own origin or one of `allowedReturnOrigins`. Default: `defaultPage`. */
  readonly returnTo?: string | undefined
  /** What the provider is to ask its user, such as `login` or `select_account` (OpenID Connect Core 1.0, section 3.1.2.1). */
  readonly prompt?: string | undefined
  /** Who is expected: an address or a login name. */
  readonly loginHint?: string | undefined
  /**
   * Milliseconds within which the user must have signed in at the provider, else it asks them again; 0: it asks in any case. Only
   * with OpenID. Default: the provider's own `authorizationParameters.max_age`; with `reauthenticate` 0.
   */
  readonly maxAge?: number | undefined
  /** Ways of signing in of which one must be met (`acr_values`), as the provider names them. Only with OpenID. Default: any. */
  readonly acrValues?: readonly string[] | undefined
  /** Scopes of this sign-in, in place of the provider's `scope`. */
  readonly scope?: string | undefined
  /**
   * Confirms the session of the request instead of beginning a new one: it keeps its id, metadata and persistence. It must have
   * begun at this provider, as the same user, or the answer is refused; `onSignIn` is asked, and may refuse. Only with OpenID, and
   * not with `form_post`.
   */
  readonly reauthenticate?: boolean | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Makes a hook that sends a browser's page navigation without a session to `url`, with `?next=` the page that was
     * asked for; anything else without a session is answered 401 `GOSESH_ERR_UNAUTHENTICATED`. Default: `signInPage`.
     * Throws `GOSESH_ERR_OPTION` if there is neither, or if it is not a path. `redirectToSignIn` of gosesh does the same.
     */
    redirectToSignIn(url?: string): RedirectToSignInHook
  }

  interface FastifyReply {
    /**
     * Ends the session as `signOut` does, and resolves where the browser has to go to end the one at the provider;
     * `signOutPage` if there is none. Rejects with 503 if the store cannot.
     */
    signOutOfProvider(options?: SignOutOfProviderOptions): Promise<string>
    /**
     * Sends the browser to a provider of the option `providers` to sign in, or with `reauthenticate` to confirm its session.
     * Rejects with `GOSESH_ERR_OPTION` on a wrong option, with 401 `GOSESH_ERR_UNAUTHENTICATED` if `reauthenticate` finds no
     * session, and with 503 if the provider cannot be reached.
     */
    redirectToProvider(name: string, options?: RedirectToProviderOptions): Promise<FastifyReply>
  }
}
