import type { OidcProvider } from '../../../types/oauth.js'
import type { OAuthSettings } from '../options.js'
import { ProviderClient } from './client.js'
import { JwtVerifier } from './jwt-verifier.js'
import type { Libraries } from './libraries.js'

/** An OpenID provider, and who verifies its tokens. */
export interface OidcClient {
  readonly client: ProviderClient<OidcProvider>
  readonly verifier: JwtVerifier
}

/** The clients of all providers. */
export class Clients {
  readonly all: readonly ProviderClient[]
  readonly openId: readonly OidcClient[]

  constructor(settings: OAuthSettings, libraries: Libraries) {
    const { origin, prefix, providerTimeout } = settings
    const make = <P extends ProviderClient['provider']>(name: string, provider: P): ProviderClient<P> =>
      new ProviderClient(name, provider, origin + prefix, providerTimeout, libraries)
    const all: ProviderClient[] = []
    const openId: OidcClient[] = []
    for (const [name, provider] of settings.providers) {
      if (provider.kind === 'oauth2') all.push(make(name, provider))
      else {
        const client = make(name, provider)
        all.push(client as ProviderClient)
        openId.push({ client, verifier: new JwtVerifier(client, libraries, settings) })
      }
    }
    this.all = all
    this.openId = openId
  }

  byName(name: string | undefined): ProviderClient | null {
    return this.all.find((client) => client.name === name) ?? null
  }
}
