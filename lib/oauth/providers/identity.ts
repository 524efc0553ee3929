import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { OAuthSignIn, SignInDecision } from '../../../types/oauth.js'
import type { MetadataPatch } from '../../../types/options.js'
import type { EffectivePolicy } from '../../../types/policy.js'
import type { Session, SessionMetadata } from '../../../types/session.js'
import { GoseshError } from '../../core/errors.js'
import { checkObject } from '../../core/validation.js'
import { unverifiedError } from '../failure.js'
import type { OAuthSettings } from '../options.js'

/** How the user proved who they are, as a session takes it. */
export interface Proof {
  /** `undefined`: just now, for all that is known. */
  readonly authenticatedAt: Date | undefined
  readonly factors: readonly string[]
}

/** Whose session begins, and what is kept with it. */
export interface Identity extends Proof {
  readonly userId: string
  readonly metadata: SessionMetadata
}

/** How the provider names the way of signing in; a longer name has no room among the metadata. */
const maxAcrLength = 200

/** Marks a session whose session at the provider is not known, so that it may be any of its subject's. */
export const withoutSid = { oidc_without_sid: 'true' } as const

/** The session and the subject at the provider, by which back-channel logout finds the sessions. */
function providerMetadata({ provider, claims }: OAuthSignIn): SessionMetadata {
  if (claims === null) return { provider }
  const { iss, sub, sid, acr } = claims
  const metadata = {
    provider,
    oidc_iss: iss,
    oidc_sub: sub,
    ...(typeof acr === 'string' && { oidc_acr: acr.slice(0, maxAcrLength) }),
  }
  return typeof sid === 'string' ? { ...metadata, oidc_sid: sid } : { ...metadata, ...withoutSid }
}

/**
 * The proof that the provider vouches for. A clock that is ahead counts as now. Rejects with
 * `GOSESH_ERR_OAUTH_VERIFICATION` if the option `maxAge` of gosesh lets no session of such a time live.
 */
function proofOf({ authenticatedAt, factors }: OAuthSignIn, now: number, { maxAge }: EffectivePolicy): Proof {
  if (authenticatedAt === null) return { authenticatedAt: undefined, factors }
  const time = Math.min(authenticatedAt.getTime(), now)
  if (maxAge !== null && time <= now - maxAge) {
    throw unverifiedError('the user signed in at the provider longer ago than the option maxAge of gosesh')
  }
  return { authenticatedAt: new Date(time), factors }
}

/**
 * The proof and the changed metadata with which the session is confirmed; rejects with `GOSESH_ERR_OAUTH_REFUSED` unless
 * the session began as the same user of the same issuer. `onSignIn` is not asked: it might join the account of somebody
 * else to the user who is signed in.
 */
export function confirm(
  signIn: OAuthSignIn,
  session: Session,
  { clock }: Pick<OAuthSettings, 'clock'>,
  app: FastifyInstance,
): Proof & { readonly metadata: MetadataPatch } {
  const now = providerMetadata(signIn)
  const { metadata } = session
  if (
    now.oidc_sub === undefined ||
    now.oidc_sub !== metadata?.oidc_sub ||
    now.oidc_iss !== metadata.oidc_iss
  ) {
    throw new GoseshError('GOSESH_ERR_OAUTH_REFUSED', {
      message: 'Confirm with the account at the provider with which you signed in',
    })
  }
  const proof = proofOf(signIn, clock.now(), app.gosesh.policy)
  if (proof.authenticatedAt === undefined)
    throw unverifiedError('the provider did not say when its user signed in')
  // A back-channel logout names the session at the provider as it is now.
  const { oidc_sid = null, oidc_without_sid = null, oidc_acr = null } = now
  return { ...proof, metadata: { oidc_sid, oidc_without_sid, oidc_acr } }
}

/** What `onSignIn` decided; throws if it is anything else, as a misspelt `refuse` must not come to mean that it is allowed. */
function checkDecision(decision: SignInDecision | null): Exclude<SignInDecision, undefined> {
  return checkObject('onSignIn', decision ?? {}, ['userId', 'metadata', 'refuse'])
}

/** Asks `onSignIn`; rejects with `GOSESH_ERR_OAUTH_REFUSED` and its reason if it refuses. */
export async function identify(
  signIn: OAuthSignIn,
  request: FastifyRequest,
  { onSignIn, metadata, clock }: Pick<OAuthSettings, 'onSignIn' | 'metadata' | 'clock'>,
  app: FastifyInstance,
): Promise<Identity> {
  const proof = proofOf(signIn, clock.now(), app.gosesh.policy)
  const decision = checkDecision(await onSignIn(signIn, request))
  if ('refuse' in decision) {
    const { refuse } = decision
    throw new GoseshError('GOSESH_ERR_OAUTH_REFUSED', typeof refuse === 'string' ? { message: refuse } : {})
  }
  const { provider, subject } = signIn
  // A `userId` that is there and undefined must not come to mean somebody else; gosesh refuses it.
  return {
    ...proof,
    userId:
      'userId' in decision
        ? (decision.userId as string)
        : await app.gosesh.upsertUser(`${provider}|${subject}`),
    metadata: { ...(await metadata(request)), ...decision.metadata, ...providerMetadata(signIn) },
  }
}
