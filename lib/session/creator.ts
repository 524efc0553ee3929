import type { CreateSessionOptions } from '../../types/options.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { SessionRecord } from '../../types/store.js'
import { encodeDetails } from '../core/details.js'
import { mergeFactors, parseFactors } from '../core/factors.js'
import { createSecret, createSessionId, hashSecret, tokenOf } from '../core/token.js'
import { checkBoolean } from '../core/validation.js'
import type { Context, ContextSource } from './context.js'
import type { SessionDeleter, SessionDeletion } from './deleter.js'
import type { CreatedSession } from './events.js'
import { checkUserId, parseNewMetadata, parsePastTime, sessionLifetime } from './input.js'
import { insertRecord } from './insert-record.js'
import { idleDeadlineAt, liveSession } from './lifetime.js'
import { checkSessionLimit, sessionsPastLimit } from './limits.js'

/** The steps of a sign-in beside the creation of its session. */
export interface SignInSteps {
  /** The session that the new one replaces. */
  readonly replaced?: SessionId | null
  /** What the session has from the start. */
  readonly data?: ReadonlyMap<string, string> | undefined
  /** Gives the client its token. If it throws, the sign-in is undone. */
  readonly deliver?: (token: SessionToken, session: Session) => void | Promise<void>
}

/** Creates sessions. */
export class SessionCreator {
  readonly #source: ContextSource
  readonly #deleter: SessionDeleter

  constructor(source: ContextSource, deleter: SessionDeleter) {
    this.#source = source
    this.#deleter = deleter
  }

  /**
   * Creates a session, gives its client the token, and deletes the session that it replaces and those past the user's
   * limit. If a step up to `deliver` fails, the new session is deleted again and every other one lives on; after it the
   * client has its session, and nothing fails any more.
   */
  async create(
    userId: string,
    options: CreateSessionOptions,
    { replaced = null, data, deliver }: SignInSteps = {},
  ): Promise<CreatedSession> {
    const { context } = this.#source
    const secret = createSecret()
    const record = newRecord(context, hashSecret(secret), checkUserId(userId), options)
    const token = tokenOf(record.id, secret)
    // It was created alive: the options were checked for that.
    const session = liveSession(record, undefined, record.lastActivityAt.getTime(), context) as Session
    await checkSessionLimit(context, session, replaced)
    await insertRecord(context, record, data)
    const deletions: SessionDeletion[] = []
    if (replaced !== null) deletions.push({ id: replaced, reason: 'replaced', userId: null })
    try {
      for (const { id } of await sessionsPastLimit(context, session, replaced)) {
        deletions.push({ id, reason: 'evicted', userId })
      }
      await deliver?.(token, session)
    } catch (error) {
      await this.#deleter.deleteQuietly(session.id)
      throw error
    }
    await this.#deleter.deleteForCertain(deletions)
    return { session, token }
  }
}

function newRecord(
  { clock, defaultLifetime, maxAge, notBefore }: Context,
  secretHash: string,
  userId: string,
  options: CreateSessionOptions,
): SessionRecord {
  const { idleTimeout, absoluteTimeout } = sessionLifetime(options, defaultLifetime)
  const now = clock.now()
  const lifetime = Math.min(absoluteTimeout, maxAge)
  const { createdAt: began, authenticatedAt: proved } = options
  const confirmed =
    proved === undefined ? null : parsePastTime('authenticatedAt', proved, now - maxAge + 1, now)
  // One that was confirmed since may have begun longer ago than a session lasts.
  const oldest = confirmed === null || confirmed <= now - lifetime ? now - lifetime + 1 : -Infinity
  const createdAt =
    began === undefined ? now : parsePastTime('createdAt', began, Math.max(oldest, notBefore), now)
  const authenticatedAt = confirmed ?? createdAt
  const absoluteDeadline = new Date(Math.max(createdAt, authenticatedAt) + lifetime)
  const factors = mergeFactors(
    [],
    parseFactors('factors', options.factors ?? []),
    new Date(authenticatedAt),
    now,
  )
  return Object.freeze({
    id: createSessionId(),
    secretHash,
    version: 1,
    userId,
    createdAt: new Date(createdAt),
    lastActivityAt: new Date(now),
    authenticatedAt: new Date(authenticatedAt),
    idleTimeout,
    idleDeadline: idleDeadlineAt(now, idleTimeout, absoluteDeadline),
    absoluteTimeout,
    absoluteDeadline,
    persistent: checkBoolean('persistent', options.persistent ?? true),
    deviceBound: false,
    metadata: parseNewMetadata(options.metadata),
    details: encodeDetails({ factors, device: null }),
  })
}
