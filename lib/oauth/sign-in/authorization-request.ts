import type { FastifyRequest } from 'fastify'
import type { OAuthProvider, RedirectToProviderOptions } from '../../../types/oauth.js'
import type { SessionId } from '../../../types/session.js'
import { checkBoolean, checkObject, checkText, optionError } from '../../core/validation.js'
import { maxAgeOf, strictest } from '../providers/claims.js'
import { answersByPost, type TransactionDemands } from '../providers/client.js'
import { checkTexts } from '../validation.js'

/** What one sign-in asks of a provider. */
export interface AuthorizationRequest {
  readonly returnTo: unknown
  readonly demands: TransactionDemands
  /** Parameters of the request beside those that the demands make. */
  readonly parameters: Readonly<Record<string, string>>
  readonly reauthenticates: SessionId | null
}

const known: readonly (keyof RedirectToProviderOptions)[] = [
  'returnTo',
  'prompt',
  'loginHint',
  'maxAge',
  'acrValues',
  'scope',
  'reauthenticate',
]
const name = 'redirectToProvider'
/** Values of RFC 6749, appendix A, with a space between. */
const words = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/
const maxAcrValues = 10
const maxAcrLength = 100

/** A sign-in that asks for nothing but what the provider's own options say. */
export function plainRequest(provider: OAuthProvider, returnTo: unknown): AuthorizationRequest {
  return { returnTo, demands: demandsOf(provider, {}), parameters: {}, reauthenticates: null }
}

/** What the provider's own options demand holds in any case. */
function demandsOf(
  provider: OAuthProvider,
  { maxAge = null, acrValues = [] }: { maxAge?: number | null; acrValues?: readonly string[] },
): TransactionDemands {
  return { maxAge: strictest(maxAge, maxAgeOf(provider)), acrValues }
}

/** The options of `reply.redirectToProvider`; throws `GOSESH_ERR_OPTION`, and 401 if there is no session to confirm. */
export function parseRedirect(
  provider: OAuthProvider,
  options: RedirectToProviderOptions,
  request: Pick<FastifyRequest, 'requireSession'>,
): AuthorizationRequest {
  checkObject(name, options, known)
  const { prompt, loginHint, scope } = options
  const reauthenticate = checkBoolean(`${name}.reauthenticate`, options.reauthenticate ?? false)
  refuseWithoutOpenId(provider, options, reauthenticate)
  const asked = prompt === undefined ? null : checkText(`${name}.prompt`, prompt, 'such as login', words)
  const parameters = {
    ...(asked !== null && { prompt: asked }),
    ...(loginHint !== undefined && {
      login_hint: checkText(
        `${name}.loginHint`,
        loginHint,
        'a text of at most 300 characters',
        /^\P{Cc}{1,300}$/u,
      ),
    }),
    ...(scope !== undefined && { scope: checkScope(provider, scope) }),
  }
  return {
    returnTo: options.returnTo,
    demands: demandsOf(provider, {
      maxAge: maxAgeAsked(options.maxAge, asked, reauthenticate),
      acrValues: checkAcrValues(options.acrValues ?? []),
    }),
    parameters,
    reauthenticates: reauthenticate ? request.requireSession().id : null,
  }
}

/** Without OpenID no provider says when or how its user signed in, and a POST from its page carries no session. */
function refuseWithoutOpenId(
  provider: OAuthProvider,
  { maxAge, acrValues }: RedirectToProviderOptions,
  reauthenticate: boolean,
): void {
  const openIdAlone = { maxAge, acrValues, reauthenticate: reauthenticate || undefined }
  for (const [option, value] of Object.entries(openIdAlone)) {
    if (value === undefined || provider.kind === 'oidc') continue
    throw optionError(`${name}.${option}`, value, 'nothing, as the provider does not speak OpenID')
  }
  if (!reauthenticate || !answersByPost(provider)) return
  throw optionError(`${name}.reauthenticate`, true, 'false, as the provider answers with form_post')
}

/** A prompt to sign in asks for a sign-in of now, and so does a confirmation that names no other age. */
function maxAgeAsked(given: unknown, prompt: string | null, reauthenticate: boolean): number | null {
  const maxAge = given === undefined ? null : checkMaxAge(given)
  if (prompt?.split(' ').includes('login')) return 0
  return maxAge ?? (reauthenticate ? 0 : null)
}

function checkMaxAge(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1e12) return value
  throw optionError(`${name}.maxAge`, value, 'a whole number of milliseconds, 0 or more')
}

function checkAcrValues(value: unknown): readonly string[] {
  const values = checkTexts(`${name}.acrValues`, value, 'a name without spaces')
  const isShort = values.length <= maxAcrValues && values.every((acr) => acr.length <= maxAcrLength)
  if (isShort && values.every((acr) => /^[\x21-\x7e]+$/.test(acr))) return values
  const expected = `at most ${maxAcrValues} names without spaces, each of at most ${maxAcrLength} characters`
  throw optionError(`${name}.acrValues`, value, expected)
}

function checkScope(provider: OAuthProvider, value: unknown): string {
  const scope = checkText(`${name}.scope`, value, 'scopes with a space between', words)
  if (provider.kind === 'oauth2' || scope.split(' ').includes('openid')) return scope
  throw optionError(`${name}.scope`, value, 'scopes with openid among them')
}
