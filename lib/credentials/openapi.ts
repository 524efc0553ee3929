import type { Credential } from '../../types/credential.js'
import type { OpenApiSecurityScheme } from '../../types/openapi.js'
import { optionError } from '../core/validation.js'

function schemeOf(credential: Credential): OpenApiSecurityScheme {
  const { challenge, header, cookieName } = credential
  if (challenge !== null) return { type: 'http', scheme: challenge.toLowerCase() }
  if (header.toLowerCase() !== 'cookie') return { type: 'apiKey', in: 'header', name: header }
  if (cookieName !== undefined) return { type: 'apiKey', in: 'cookie', name: cookieName }
  throw optionError('credentials', credential, 'credentials with the cookieName of their cookie')
}

/**
 * The credentials as OpenAPI security schemes, for `components.securitySchemes`: keyed by the credential's name
 * (`cookie`, `bearer`), in the order given. Throws `GOSESH_ERR_OPTION` if two have the same name, or if a cookie
 * is not told of.
 */
export function openApiSecuritySchemes(
  credentials: readonly Credential[],
): Record<string, OpenApiSecurityScheme> {
  const schemes: Record<string, OpenApiSecurityScheme> = {}
  for (const credential of credentials) {
    const { name } = credential
    if (Object.hasOwn(schemes, name)) throw optionError('credentials', name, 'credentials of different names')
    schemes[name] = schemeOf(credential)
  }
  return schemes
}
