export type {
  ClientAuthentication,
  DeviceAuthorizationOptions,
  DevicePage,
  ErrorPageContext,
  OAuth2Options,
  OAuth2Provider,
  OAuthOptions,
  OAuthProfile,
  OAuthProvider,
  OAuthSignIn,
  OAuthTexts,
  OidcOptions,
  OidcProvider,
  ProviderOptions,
  RedirectToProviderOptions,
  SignInDecision,
  SignOutOfProviderOptions,
  TransactionCookieOptions,
} from '../../types/oauth.js'
export { defaultTexts } from './pages/texts.js'
export { oauth } from './plugin.js'
export { oauth2, oidc } from './providers/providers.js'
export {
  apple,
  discord,
  github,
  google,
  type KnownOidcOptions,
  type MicrosoftOptions,
  microsoft,
  twitch,
} from './providers/ready-made.js'
