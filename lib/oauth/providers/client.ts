import type { ClientAuth, Configuration, ServerMetadata } from 'openid-client'
import type {
  OAuth2Provider,
  OAuthProfile,
  OAuthProvider,
  OAuthSignIn,
  OidcProvider,
} from '../../../types/oauth.js'
import { GoseshError } from '../../core/errors.js'
import { factorsAmong } from '../../core/factors.js'
import { within } from '../../core/timing.js'
import { withProvider } from '../failure.js'
import type { Transaction } from '../sign-in/transaction.js'
import { boundedFetch } from './bounded-fetch.js'
import { authTimeOf, checkAcr, checkAuthTime, maxAgeOf, strictest } from './claims.js'
import { parseExactJson } from './exact-json.js'
import type { Libraries } from './libraries.js'

/** The secrets of one sign-in at a provider. */
export type TransactionSecrets = Pick<Transaction, 'state' | 'nonce' | 'verifier'>

/** What the answer to one sign-in is checked for. */
export type TransactionDemands = Pick<Transaction, 'maxAge' | 'acrValues'>

type Client = Libraries['client']

/** The default of OpenID Connect Discovery is `client_secret_basic`, even if it is one of several. */
function prefersPost({ token_endpoint_auth_methods_supported: methods }: ServerMetadata): boolean {
  return (
    methods !== undefined &&
    !methods.includes('client_secret_basic') &&
    methods.includes('client_secret_post')
  )
}

/** What the application's function returns, within bounded time; rejects with `GOSESH_ERR_OPTION`. */
async function askSecret(ask: () => string | Promise<string>, timeout: number): Promise<string> {
  try {
    const late = (): Error => new Error(`no answer in ${timeout} ms`)
    const secret: unknown = await within(Promise.resolve(ask()), timeout, late)
    if (typeof secret === 'string' && secret !== '') return secret
    throw new TypeError(`it returned ${secret === '' ? 'an empty string' : typeof secret}`)
  } catch (cause) {
    const message = 'The function given as clientSecret failed; expected a non-empty string'
    throw new GoseshError('GOSESH_ERR_OPTION', { message, cause })
  }
}

function authenticate(
  client: Client,
  { clientSecret, clientAuthentication }: OAuthProvider,
  timeout: number,
): ClientAuth {
  if (typeof clientAuthentication === 'function') return clientAuthentication
  if (clientSecret === null || clientAuthentication === 'none') return client.None()
  return async (server, metadata, body, headers) => {
    const secret = typeof clientSecret === 'function' ? await askSecret(clientSecret, timeout) : clientSecret
    const post =
      clientAuthentication === null ? prefersPost(server) : clientAuthentication === 'client_secret_post'
    const method = post ? client.ClientSecretPost(secret) : client.ClientSecretBasic(secret)
    await method(server, metadata, body, headers)
  }
}

/** True if the provider answers with a POST from its own page. */
export function answersByPost(provider: OAuthProvider): boolean {
  return provider.kind === 'oidc' && provider.responseMode === 'form_post'
}

/**
 * A non-empty text or a whole number, as text. A number past `Number.MAX_SAFE_INTEGER` has been rounded, so it may be the id
 * of somebody else.
 */
function subjectOf(provider: OAuthProvider, profile: OAuthProfile): string {
  const subject = provider.subject(profile)
  if (typeof subject === 'string' && subject !== '') return subject
  if (Number.isSafeInteger(subject)) return String(subject)
  throw new GoseshError('GOSESH_ERR_OAUTH_PROVIDER', { cause: new Error('the profile names no user') })
}

/** What GitHub answers to an application that may not read addresses. */
const withheld: ReadonlySet<number> = new Set([403, 404])

/** The verified address among those of a user that is their primary one. */
function primaryAddress(addresses: unknown): unknown {
  if (!Array.isArray(addresses)) return null
  return addresses.find((address) => address?.primary === true && address.verified === true)?.email ?? null
}

/** One provider as gosesh talks to it. Everything rejects with `GOSESH_ERR_OAUTH_*`. */
export class ProviderClient<P extends OAuthProvider = OAuthProvider> {
  readonly name: string
  readonly provider: P
  readonly callbackUrl: string
  readonly #client: Client
  /** Milliseconds that the provider has for an answer. */
  readonly #timeout: number
  #configuration: Promise<Configuration> | null = null

  constructor(
    name: string,
    provider: P,
    baseUrl: string,
    timeout: number,
    { client }: Pick<Libraries, 'client'>,
  ) {
    this.name = name
    this.provider = provider
    this.callbackUrl = `${baseUrl}/${name}/callback`
    this.#client = client
    this.#timeout = timeout
  }

  /** Discovered once, however many wait for it; after a failure, the next call tries again. */
  configuration(): Promise<Configuration> {
    this.#configuration ??= withProvider(() => this.#configure()).catch((error: GoseshError) => {
      this.#configuration = null
      // Metadata of another issuer is no fault of the user's.
      if (error.code !== 'GOSESH_ERR_OAUTH_VERIFICATION') throw error
      throw new GoseshError('GOSESH_ERR_OAUTH_PROVIDER', { cause: error.cause })
    })
    return this.#configuration
  }

  newSecrets(): TransactionSecrets {
    const { randomState, randomNonce, randomPKCECodeVerifier } = this.#client
    return { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier() }
  }

  /** Where the browser is sent: the authorization code flow with PKCE (RFC 7636), state and nonce. */
  async authorizationUrl(
    { state, nonce, verifier }: TransactionSecrets,
    { maxAge, acrValues }: TransactionDemands,
    own: Readonly<Record<string, string>> = {},
  ): Promise<URL> {
    const configuration = await this.configuration()
    const { provider } = this
    const parameters: Record<string, string> = {
      ...provider.authorizationParameters,
      ...(provider.scope !== '' && { scope: provider.scope }),
      ...own,
      redirect_uri: this.callbackUrl,
      state,
      code_challenge: await this.#client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    }
    if (provider.kind === 'oidc') parameters.nonce = nonce
    // With it a provider has to say when its user signed in (OpenID Connect Core 1.0, section 3.1.2.1).
    if (maxAge !== null) parameters.max_age = String(Math.floor(maxAge / 1_000))
    if (acrValues.length > 0) parameters.acr_values = acrValues.join(' ')
    if (answersByPost(provider)) parameters.response_mode = 'form_post'
    return await withProvider(async () => this.#client.buildAuthorizationUrl(configuration, parameters))
  }

  /** Verifies what came back to the callback, redeems the code, and says who it is. */
  async finish(
    answer: URLSearchParams,
    { state, nonce, verifier, startedAt, maxAge: asked, acrValues }: Transaction,
  ): Promise<OAuthSignIn> {
    const configuration = await this.configuration()
    const url = new URL(this.callbackUrl)
    url.search = answer.toString()
    const checks = { expectedState: state, pkceCodeVerifier: verifier }
    const { provider } = this
    // The browser keeps what was asked; what the options demand is known here.
    const maxAge = strictest(asked, maxAgeOf(provider))
    const openId = provider.kind === 'oidc' ? { expectedNonce: nonce, idTokenExpected: true } : {}
    const { profile, ...proof } = await withProvider(async () => {
      const tokens = await this.#client.authorizationCodeGrant(configuration, url, { ...checks, ...openId })
      // Only an OpenID provider's ID token was verified; what another one calls so says nothing.
      const claims = (provider.kind === 'oidc' && tokens.claims()) || null
      if (maxAge !== null) checkAuthTime(claims?.auth_time, startedAt - maxAge)
      checkAcr(claims?.acr, acrValues)
      return {
        profile: await this.#profile(configuration, tokens.access_token, claims),
        claims,
        tokens: { ...tokens },
      }
    })
    return this.signIn(profile, proof)
  }

  signIn(profile: OAuthProfile, { claims, tokens }: Pick<OAuthSignIn, 'claims' | 'tokens'>): OAuthSignIn {
    return {
      provider: this.name,
      subject: subjectOf(this.provider, profile),
      profile,
      claims,
      tokens,
      authenticatedAt: authTimeOf(claims),
      factors: factorsAmong(claims?.amr),
    }
  }

  /** Where the browser ends its session at the provider; `null` if the provider has no such page. */
  async endSessionUrl(parameters: Record<string, string>): Promise<string | null> {
    const configuration = await this.configuration()
    if (configuration.serverMetadata().end_session_endpoint === undefined) return null
    return await withProvider(async () => this.#client.buildEndSessionUrl(configuration, parameters).href)
  }

  async #configure(): Promise<Configuration> {
    const { provider } = this
    return provider.kind === 'oidc' ? await this.#discover(provider) : this.#declare(provider)
  }

  #discover(provider: OidcProvider): Promise<Configuration> {
    const { discovery, allowInsecureRequests, enableNonRepudiationChecks, customFetch } = this.#client
    const insecure = provider.allowInsecure ? [allowInsecureRequests] : []
    return discovery(
      new URL(provider.issuer),
      provider.clientId,
      undefined,
      authenticate(this.#client, provider, this.#timeout),
      {
        timeout: Math.ceil(this.#timeout / 1_000),
        // The signature of an ID token is verified too, though it came from the token endpoint over TLS.
        execute: [enableNonRepudiationChecks, ...insecure],
        [customFetch]: boundedFetch(provider.fetch),
      },
    )
  }

  #declare(provider: OAuth2Provider): Configuration {
    const { Configuration, allowInsecureRequests } = this.#client
    const server = {
      issuer: provider.issuer,
      authorization_endpoint: provider.authorizationEndpoint,
      token_endpoint: provider.tokenEndpoint,
    }
    const auth = authenticate(this.#client, provider, this.#timeout)
    const configuration = new Configuration(server, provider.clientId, undefined, auth)
    configuration.timeout = Math.ceil(this.#timeout / 1_000)
    configuration[this.#client.customFetch] = boundedFetch(provider.fetch)
    if (provider.allowInsecure) allowInsecureRequests(configuration)
    return configuration
  }

  async #profile(
    configuration: Configuration,
    accessToken: string,
    claims: OAuthSignIn['claims'],
  ): Promise<OAuthProfile> {
    const { provider } = this
    if (provider.kind === 'oauth2') return await this.#fetchProfile(configuration, accessToken, provider)
    const verified = claims as NonNullable<typeof claims>
    if (!provider.userInfo) return verified
    const userInfo = await this.#client.fetchUserInfo(configuration, accessToken, verified.sub)
    // What is signed stands, unless it is null. Whether the address is verified is said by one that names this address.
    const email = verified.email ?? userInfo.email
    const said = [verified, userInfo].find(
      (source) => source.email_verified !== undefined && source.email === email,
    )
    const { email_verified: _, ...profile } = {
      ...userInfo,
      ...verified,
      ...(email !== undefined && { email }),
    }
    const isKnown = typeof email === 'string' && said !== undefined
    return isKnown ? { ...profile, email_verified: said.email_verified } : profile
  }

  async #fetchProfile(
    configuration: Configuration,
    accessToken: string,
    { profileEndpoint, emailsEndpoint }: OAuth2Provider,
  ): Promise<OAuthProfile> {
    const get = async (url: string): Promise<{ status: number; body: unknown }> => {
      const headers = new Headers({ accept: 'application/json' })
      const response = await this.#client.fetchProtectedResource(
        configuration,
        accessToken,
        new URL(url),
        'GET',
        null,
        headers,
      )
      const { ok, status } = response
      return { status, body: ok ? parseExactJson(await response.text()) : null }
    }
    const { status, body } = await get(profileEndpoint)
    if (typeof body !== 'object' || body === null) {
      throw Object.assign(new Error('the profile endpoint gave no profile'), { status })
    }
    const profile = body as OAuthProfile
    if (emailsEndpoint === null || typeof profile.email === 'string') return profile
    const addresses = await get(emailsEndpoint)
    if (addresses.body === null && !withheld.has(addresses.status)) {
      throw Object.assign(new Error('the provider gave no addresses'), { status: addresses.status })
    }
    return { ...profile, email: primaryAddress(addresses.body) }
  }
}
