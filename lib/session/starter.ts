import type { CreateSessionOptions } from '../../types/options.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import { GoseshError, isGoseshError } from '../core/errors.js'
import { createToken, sessionIdOf } from '../core/token.js'
import type { EndingSession, SessionEnder } from './ender.js'
import type { StartedSession } from './events.js'
import { checkNewMetadata, checkUserId, parseCreatedAt, sessionLifetime } from './input.js'
import { idleDeadlineAt } from './lifetime.js'
import { type Runtime, storeCalls } from './runtime.js'
import { SessionLimit } from './session-limit.js'

/** The steps of a sign-in beside the creation of its session. */
export interface SignInSteps {
  /** The session that the new one takes the place of. */
  readonly replaced?: SessionId | null
  /** Gives the client its token. What it throws undoes the sign-in. */
  readonly deliver?: (token: SessionToken, session: Session) => void | Promise<void>
}

/** Begins sessions. */
export class SessionStarter {
  readonly #runtime: Runtime
  readonly #ender: SessionEnder
  readonly #limit: SessionLimit | null

  constructor(runtime: Runtime, ender: SessionEnder) {
    const { maxSessionsPerUser } = runtime.policy
    this.#runtime = runtime
    this.#ender = ender
    this.#limit = maxSessionsPerUser === null ? null : new SessionLimit(maxSessionsPerUser, runtime)
  }

  /**
   * Creates a session, gives its client the token, and ends the session that it replaces and those past the user's limit.
   * If a step fails up to `deliver`, the new session is deleted again and every other one lives on; past it the client
   * has its session, and nothing fails any more.
   */
  async start(
    userId: string,
    options: CreateSessionOptions,
    { replaced = null, deliver }: SignInSteps = {},
  ): Promise<StartedSession> {
    const token = createToken()
    const session = this.#newSession(sessionIdOf(token), checkUserId(userId), options)
    await this.#limit?.admit(session, replaced)
    await this.#insert(session)
    const ending: EndingSession[] = []
    if (replaced !== null) ending.push({ id: replaced, reason: 'replaced', userId: null })
    try {
      for (const { id } of (await this.#limit?.excess(session, replaced)) ?? []) {
        ending.push({ id, reason: 'evicted', userId })
      }
      await deliver?.(token, session)
    } catch (error) {
      await this.#ender.undo(session.id)
      throw error
    }
    await this.#ender.endReplaced(ending)
    return { session, token }
  }

  #newSession(id: SessionId, userId: string, options: CreateSessionOptions): Session {
    const { clock, defaultLifetime, policy } = this.#runtime
    const { idleTimeout, absoluteTimeout } = sessionLifetime(options, defaultLifetime)
    const now = clock.now()
    const lifetime = Math.min(absoluteTimeout, policy.maxAge)
    const earliest = Math.max(now - lifetime + 1, policy.notBefore)
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
      metadata: checkNewMetadata(options.metadata),
    })
  }

  /** Creates the session; if that fails, also one that the store creates after all is deleted again. */
  async #insert(session: Session): Promise<void> {
    const calls = storeCalls(this.#runtime)
    let landing: Promise<void> | undefined
    try {
      await calls.run('createSession', (store) => {
        landing = store.createSession(session)
        return landing
      })
    } catch (error) {
      const undo = (): Promise<unknown> => calls.store.deleteSession(session.id)
      // Nobody holds the token, so this only spares the user's list a session that was never used.
      landing?.then(undo, undo).catch(() => {})
      // No other session has this new id: a client that lost its connection sent the creation twice.
      const sentTwice = isGoseshError(error) && error.code === 'GOSESH_ERR_SESSION_EXISTS'
      throw sentTwice ? new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause: error }) : error
    }
  }
}
