import type { IDToken } from 'openid-client'
import type { OidcProvider } from '../../../types/oauth.js'
import type { Clock } from '../../../types/options.js'
import { unverifiedError, withProvider } from '../failure.js'
import { boundedFetch } from './bounded-fetch.js'
import type { ProviderClient } from './client.js'
import type { Libraries } from './libraries.js'

type Keys = ReturnType<Libraries['jose']['createRemoteJWKSet']>
type Claims = Readonly<Record<string, unknown>>

/** A logout token that verified (OpenID Connect Back-Channel Logout 1.0, section 2.4). */
export interface LogoutToken {
  readonly iss: string
  readonly jti: string
  readonly sub: string | undefined
  readonly sid: string | undefined
}

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout'
/** Seconds by which clocks may differ. */
const clockTolerance = 30
/** Milliseconds for which a token is good that reaches the application in this way, whatever its own expiry. */
export const maxTokenAge = 600_000

/** Verifies tokens that reach the application other than from the token endpoint. */
export class JwtVerifier {
  readonly #client: ProviderClient<OidcProvider>
  readonly #jose: Libraries['jose']
  readonly #settings: { readonly clock: Clock; readonly providerTimeout: number }
  #keys: Keys | null = null

  constructor(
    client: ProviderClient<OidcProvider>,
    { jose }: Libraries,
    settings: { readonly clock: Clock; readonly providerTimeout: number },
  ) {
    this.#client = client
    this.#jose = jose
    this.#settings = settings
  }

  /** OpenID Connect Core 1.0, section 3.1.3.7; `nonce` is compared if it is given. */
  async verifyIdToken(token: string, nonce: string | undefined): Promise<IDToken> {
    const { type, claims } = await this.#verify(token, ['iss', 'sub', 'aud', 'exp', 'iat'])
    if (type !== 'jwt') throw unverifiedError('the token is typed as no ID token')
    // An access token or a logout token of the same issuer and audience says nothing about who is there.
    const foreign = ['scope', 'scp', 'events'].find((claim) => claim in claims)
    if (foreign !== undefined) throw unverifiedError(`an ID token has no claim ${foreign}`)
    if (claims.typ !== undefined && claims.typ !== 'ID') throw unverifiedError('typ names no ID token')
    if (typeof claims.sub !== 'string' || claims.sub === '') throw unverifiedError('sub is no text')
    if (nonce !== undefined && claims.nonce !== nonce) throw unverifiedError('the nonce is another')
    return claims as unknown as IDToken
  }

  /** OpenID Connect Back-Channel Logout 1.0, section 2.6. */
  async verifyLogoutToken(token: string): Promise<LogoutToken> {
    const { type, claims } = await this.#verify(token, ['iss', 'aud', 'iat', 'jti', 'events'])
    const untyped = type === 'jwt' && !this.#client.provider.requireLogoutTokenType
    if (!untyped && type !== 'logout+jwt') throw unverifiedError('the token is typed as no logout token')
    const { iss, jti, sub, sid, events } = claims
    const event = (events as Claims | null)?.[logoutEvent]
    if (typeof event !== 'object' || event === null) throw unverifiedError('events names no logout')
    if ('nonce' in claims) throw unverifiedError('a logout token has no nonce')
    if (sub === undefined && sid === undefined) throw unverifiedError('neither sub nor sid')
    for (const value of [jti, sub ?? sid, sid ?? sub]) {
      if (typeof value !== 'string' || value === '') throw unverifiedError('jti, sub or sid is no text')
    }
    return { iss, jti, sub, sid } as LogoutToken
  }

  async #verify(token: string, requiredClaims: string[]): Promise<{ type: string; claims: Claims }> {
    const { provider } = this.#client
    const { issuer, keys } = await this.#trusted()
    const { payload, protectedHeader } = await withProvider(() =>
      this.#jose.jwtVerify(token, keys, {
        requiredClaims,
        clockTolerance,
        currentDate: new Date(this.#settings.clock.now()),
        maxTokenAge: maxTokenAge / 1_000,
      }),
    )
    // Entra ID has one set of metadata for all tenants, with a template for the issuer.
    if (payload.iss !== issuer.replace('{tenantid}', () => String(payload.tid)))
      throw unverifiedError('another issuer')
    const ours: unknown[] = [provider.clientId, ...provider.nativeClientIds]
    const { azp } = payload
    const audiences = [payload.aud].flat()
    // An empty list is for nobody.
    if (audiences.length === 0 || !audiences.every((audience) => ours.includes(audience))) {
      throw unverifiedError('another audience')
    }
    if (azp !== undefined && !ours.includes(azp)) throw unverifiedError('issued to another client')
    return { type: String(protectedHeader.typ ?? 'JWT').toLowerCase(), claims: payload }
  }

  async #trusted(): Promise<{ issuer: string; keys: Keys }> {
    const { provider } = this.#client
    const { issuer, jwks_uri } = (await this.#client.configuration()).serverMetadata()
    const url = URL.canParse(String(jwks_uri)) ? new URL(String(jwks_uri)) : null
    if (url === null || (url.protocol !== 'https:' && !provider.allowInsecure)) {
      throw unverifiedError('the provider publishes no keys over https')
    }
    const { createRemoteJWKSet, customFetch } = this.#jose
    this.#keys ??= createRemoteJWKSet(url, {
      timeoutDuration: this.#settings.providerTimeout,
      [customFetch]: boundedFetch(provider.fetch) as typeof fetch,
    })
    return { issuer, keys: this.#keys }
  }
}
