import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { OAuthSignIn, SignInDecision } from '../../../types/oauth.js'
import type { MetadataPatch, SignInOptions } from '../../../types/options.js'
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
export interface Identity {
  readonly userId: string
  readonly options: Proof & { readonly metadata: SessionMetadata }
  /** Of a sign-in in a browser alone. */
  readonly browserOptions: Pick<SignInOptions, 'persistent' | 'carry'>
}

/** How the provider names the way of signing in; another name has no room among the metadata. */
const acrShape = /^[\x21-\x7e]{1,200}$/

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
    ...(typeof acr === 'string' && acrShape.test(acr) && { oidc_acr: acr }),
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

/** What `onSignIn` decided; throws if it is anything else, as a misspelt `refuse` must not come to mean that it is allowed. */
function checkDecision(decision: SignInDecision | null): Exclude<SignInDecision, undefined> {
  return checkObject('onSignIn', decision ?? {}, ['userId', 'metadata', 'persistent', 'carry', 'refuse'])
}

/** Asks `onSignIn`; rejects with `GOSESH_ERR_OAUTH_REFUSED` and its reason if it refuses. */
async function decide(
  signIn: OAuthSignIn,
  request: FastifyRequest,
  onSignIn: OAuthSettings['onSignIn'],
): Promise<Exclude<SignInDecision, undefined | { refuse: string }>> {
  const decision = checkDecision(await onSignIn(signIn, request))
  if (!('refuse' in decision)) return decision
  const { refuse } = decision
  throw new GoseshError('GOSESH_ERR_OAUTH_REFUSED', typeof refuse === 'string' ? { message: refuse } : {})
}

/** Who signs in, by `onSignIn`. */
export async function identify(
  signIn: OAuthSignIn,
  request: FastifyRequest,
  { onSignIn, metadata, clock }: Pick<OAuthSettings, 'onSignIn' | 'metadata' | 'clock'>,
  app: FastifyInstance,
): Promise<Identity> {
  const proof = proofOf(signIn, clock.now(), app.gosesh.policy)
  const decision = await decide(signIn, request, onSignIn)
  const { provider, subject } = signIn
  const { persistent, carry } = decision
  return {
    // One that is there and undefined must not come to mean somebody else; gosesh refuses it.
    userId:
      'userId' in decision
        ? (decision.userId as string)
        : await app.gosesh.upsertUser(`${provider}|${subject}`),
    options: {
      ...proof,
      metadata: { ...(await metadata(request)), ...decision.metadata, ...providerMetadata(signIn) },
    },
    browserOptions: { persistent, carry },
  }
}

/**
 * The proof and the changed metadata with which the session is confirmed. Rejects with `GOSESH_ERR_OAUTH_REFUSED` unless
 * the session began as the same user of the same issuer, and then if `onSignIn` refuses or names somebody else: who may no
 * longer sign in may not confirm either.
 */
export async function confirm(
  signIn: OAuthSignIn,
  session: Session,
  request: FastifyRequest,
  { onSignIn, clock }: Pick<OAuthSettings, 'onSignIn' | 'clock'>,
  app: FastifyInstance,
): Promise<Proof & { readonly metadata: MetadataPatch }> {
  const now = providerMetadata(signIn)
  const { metadata } = session
  if (
    now.oidc_sub === undefined ||
    now.oidc_sub !== metadata?.oidc_sub ||
    now.oidc_iss !== metadata.oidc_iss
  ) {
    throw otherAccountError()
  }
  const proof = proofOf(signIn, clock.now(), app.gosesh.policy)
  if (proof.authenticatedAt === undefined) {
    throw unverifiedError('the provider did not say when its user signed in')
  }
  const { userId = session.userId } = await decide(signIn, request, onSignIn)
  if (userId !== session.userId) throw otherAccountError()
  // A back-channel logout names the session at the provider as it is now.
  const { oidc_sid = null, oidc_without_sid = null, oidc_acr = null } = now
  return { ...proof, metadata: { oidc_sid, oidc_without_sid, oidc_acr } }
}

function otherAccountError(): GoseshError {
  return new GoseshError('GOSESH_ERR_OAUTH_REFUSED', {
    message: 'Confirm with the account at the provider with which you signed in',
  })
}
