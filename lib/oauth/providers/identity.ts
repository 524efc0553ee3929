import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { OAuthSignIn, SignInDecision } from '../../../types/oauth.js'
import type { SessionMetadata } from '../../../types/session.js'
import { GoseshError } from '../../core/errors.js'
import { checkObject } from '../../core/validation.js'
import type { OAuthSettings } from '../options.js'

/** Whose session begins, and what is kept with it. */
export interface Identity {
  readonly userId: string
  readonly metadata: SessionMetadata
}

/** Marks a session whose session at the provider is not known, so that it may be any of its subject's. */
export const withoutSid = { oidc_without_sid: 'true' } as const

/** The session and the subject at the provider, by which back-channel logout finds the sessions. */
function providerMetadata({ provider, claims }: OAuthSignIn): SessionMetadata {
  if (claims === null) return { provider }
  const { iss, sub, sid } = claims
  const metadata = { provider, oidc_iss: iss, oidc_sub: sub }
  return typeof sid === 'string' ? { ...metadata, oidc_sid: sid } : { ...metadata, ...withoutSid }
}

/** What `onSignIn` decided; throws if it is anything else, as a misspelt `refuse` must not come to mean that it is allowed. */
function checkDecision(decision: SignInDecision | null): Exclude<SignInDecision, undefined> {
  return checkObject('onSignIn', decision ?? {}, ['userId', 'metadata', 'refuse'])
}

/** Asks `onSignIn`; rejects with `GOSESH_ERR_OAUTH_REFUSED` and its reason if it refuses. */
export async function identify(
  signIn: OAuthSignIn,
  request: FastifyRequest,
  { onSignIn, metadata }: Pick<OAuthSettings, 'onSignIn' | 'metadata'>,
  app: FastifyInstance,
): Promise<Identity> {
  const decision = checkDecision(await onSignIn(signIn, request))
  if ('refuse' in decision) {
    const { refuse } = decision
    throw new GoseshError('GOSESH_ERR_OAUTH_REFUSED', typeof refuse === 'string' ? { message: refuse } : {})
  }
  const { provider, subject } = signIn
  // A `userId` that is there and undefined must not come to mean somebody else; gosesh refuses it.
  return {
    userId:
      'userId' in decision
        ? (decision.userId as string)
        : await app.gosesh.upsertUser(`${provider}|${subject}`),
    metadata: { ...(await metadata(request)), ...decision.metadata, ...providerMetadata(signIn) },
  }
}
