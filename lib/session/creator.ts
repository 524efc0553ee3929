import type { CreateSessionOptions } from '../../types/options.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import { GoseshError, isGoseshError } from '../core/errors.js'
import { createToken, sessionIdOf } from '../core/token.js'
import { answerTo } from './bounded-store.js'
import type { Context, ContextSource } from './context.js'
import type { SessionDeleter, SessionDeletion } from './deleter.js'
import type { CreatedSession } from './events.js'
import { checkUserId, parseCreatedAt, parseNewMetadata, sessionLifetime } from './input.js'
import { idleDeadlineAt } from './lifetime.js'
import { checkSessionLimit, sessionsPastLimit } from './limits.js'

/** The steps of a sign-in beside the creation of its session. */
export interface SignInSteps {
  /** The session that the new one replaces. */
  readonly replaced?: SessionId | null
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
    { replaced = null, deliver }: SignInSteps = {},
  ): Promise<CreatedSession> {
    const { context } = this.#source
    const token = createToken()
    const session = newSession(context, sessionIdOf(token), checkUserId(userId), options)
    await checkSessionLimit(context, session, replaced)
    await insert(context, session)
    const deletions: SessionDeletion[] = []
    if (replaced !== null) deletions.push({ id: replaced, reason: 'replaced', userId: null })
    try {
      for (const { id } of await sessionsPastLimit(context, session, replaced)) {
        deletions.push({ id, reason: 'evicted', userId })
      }
      await deliver?.(token, session)
    } catch (error) {
      await this.#deleter.undoCreation(session.id)
      throw error
    }
    await this.#deleter.deleteForCertain(deletions)
    return { session, token }
  }
}

function newSession(
  { clock, defaultLifetime, maxAge, notBefore }: Context,
  id: SessionId,
  userId: string,
  options: CreateSessionOptions,
): Session {
  const { idleTimeout, absoluteTimeout } = sessionLifetime(options, defaultLifetime)
  const now = clock.now()
  const lifetime = Math.min(absoluteTimeout, maxAge)
  const earliest = Math.max(now - lifetime + 1, notBefore)
  const createdAt = options.createdAt === undefined ? now : parseCreatedAt(options.createdAt, earliest, now)
  const absoluteDeadline = new Date(createdAt + lifetime)
  return Object.freeze({
    id,
    userId,
    createdAt: new Date(createdAt),
    lastActivityAt: new Date(now),
    idleTimeout,
    idleDeadline: idleDeadlineAt(now, idleTimeout, absoluteDeadline),
    absoluteDeadline,
    metadata: parseNewMetadata(options.metadata),
  })
}

/** Inserts the session. If that fails, one that the store creates after all is deleted again. */
async function insert({ store }: Context, session: Session): Promise<void> {
  try {
    await store.createSession(session)
  } catch (error) {
    // Past the limits, which a store that has just come back may still be at.
    const undo = (): Promise<unknown> => store.raw.deleteSession(session.id)
    // Nobody holds the token, so this only spares the user's list a session that was never used.
    answerTo(error)
      ?.then(undo, undo)
      .catch(() => {})
    // No other session has this new id: a client that lost its connection sent the creation twice.
    const sentTwice = isGoseshError(error) && error.code === 'GOSESH_ERR_SESSION_EXISTS'
    throw sentTwice ? new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause: error }) : error
  }
}
