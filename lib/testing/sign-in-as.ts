import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import '../../types/fastify.js'
import type { Credential } from '../../types/credential.js'
import type { CreateSessionOptions } from '../../types/options.js'
import type { Session, SessionToken } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { internals, requireInternals } from '../core/internals.js'
import { checkObject, optionError } from '../core/validation.js'

/** Options of `signInAs`: those of `app.gosesh.createSession`, and where the token goes. */
export interface SignInAsOptions extends CreateSessionOptions {
  /** The name of the credential: `cookie` or `bearer`. Default: the first of the option `credentials`. */
  readonly credential?: string | undefined
}

/** A signed-in user for the tests of an application. */
export interface SignedInUser {
  readonly session: Session
  readonly token: SessionToken
  /** What a browser sends as `Cookie`; `null` with a credential that is no cookie. */
  readonly cookie: string | null
  /** The headers that carry the token. */
  readonly headers: Readonly<Record<string, string>>
  /** `app.inject` with these headers added, in place of those of the same name. */
  inject(options: InjectOptions | string): Promise<LightMyRequestResponse>
}

/**
 * Signs a user in to an application under test, without its sign-in route: a session of its own store, and what a request
 * needs to carry it.
 *
 *     const ada = await signInAs(app, 'ada', { factors: ['pwd'] })
 *     const response = await ada.inject('/me')
 *
 * Awaits `app.ready()`. Rejects with `GOSESH_ERR_NOT_REGISTERED` if gosesh is not registered in the context of `app`,
 * and as `app.gosesh.createSession` does.
 */
export async function signInAs(
  app: FastifyInstance,
  userId: string,
  options: SignInAsOptions = {},
): Promise<SignedInUser> {
  await app.ready()
  if (!app.hasDecorator('gosesh')) throw new GoseshError('GOSESH_ERR_NOT_REGISTERED')
  requireInternals(app)
  const { credential: name, ...given } = checkObject('signInAs', options, optionNames) as SignInAsOptions
  const credential = credentialOf(app[internals].credentials, name)
  const { absoluteTimeout = credential.absoluteTimeout } = given
  const idleTimeout =
    credential.idleTimeout === null ? null : Math.min(credential.idleTimeout, absoluteTimeout)
  const { session, token } = await app.gosesh.createSession(userId, {
    idleTimeout,
    ...given,
    absoluteTimeout,
  })
  const headers = headersOf(credential, token)
  return {
    session,
    token,
    cookie: headers.cookie ?? null,
    headers,
    async inject(request) {
      const wanted = typeof request === 'string' ? { url: request } : request
      return await app.inject({ ...wanted, headers: { ...wanted.headers, ...headers } })
    },
  }
}

const optionNames = [
  'credential',
  'idleTimeout',
  'absoluteTimeout',
  'createdAt',
  'authenticatedAt',
  'factors',
  'persistent',
  'metadata',
]

function credentialOf(credentials: readonly Credential[], name: string | undefined): Credential {
  const found = name === undefined ? credentials[0] : credentials.find((one) => one.name === name)
  const isKnown = found?.cookieName !== undefined || found?.challenge === 'Bearer'
  if (found !== undefined && isKnown) return found
  const names = credentials.map((one) => one.name).join(', ')
  throw optionError('signInAs.credential', name, `a cookie or bearer credential among ${names}`)
}

function headersOf({ cookieName, header }: Credential, token: SessionToken): Record<string, string> {
  if (cookieName !== undefined) return { cookie: `${cookieName}=${token}` }
  return { [header.toLowerCase()]: `Bearer ${token}` }
}
