import type { CreateSessionOptions } from '../../types/options.js'
import type { Session, SessionId } from '../../types/session.js'
import { GoseshError } from '../errors.js'
import { createToken, sessionIdOf } from '../token.js'
import type { SessionEnder } from './ender.js'
import type { StartedSession } from './events.js'
import { checkMetadata, checkUserId, sessionLifetime } from './input.js'
import { idleDeadlineAt } from './lifetime.js'
import { type Runtime, storeCalls } from './runtime.js'
import { SessionLimit } from './session-limit.js'

/** Begins sessions. */
export class SessionStarter {
  readonly #runtime: Runtime
  readonly #ender: SessionEnder
  readonly #limit: SessionLimit | null

  constructor(runtime: Runtime, ender: SessionEnder) {
    const { maxSessionsPerUser } = runtime.policy
    this.#runtime = runtime
    this.#ender = ender
    this.#limit = maxSessionsPerUser === null ? null : new SessionLimit(maxSessionsPerUser, runtime, ender)
  }

  /**
   * Creates a session, ends the one that it replaces, and those past the user's limit. Where a step fails the new
   * session is deleted again.
   */
  async start(
    userId: string,
    options: CreateSessionOptions,
    replaced: SessionId | null,
  ): Promise<StartedSession> {
    const token = createToken()
    const session = this.#newSession(sessionIdOf(token), checkUserId(userId), options)
    await this.#limit?.admit(session, replaced)
    await this.#insert(session)
    try {
      if (replaced !== null) await this.#ender.endOne(replaced, 'replaced', null)
      await this.#limit?.enforce(session)
    } catch (error) {
      await this.undo(session.id)
      throw error
    }
    return { session, token }
  }

  /** Deletes a session whose token nobody got; never rejects. */
  async undo(id: SessionId): Promise<void> {
    try {
      await storeCalls(this.#runtime).run('deleteSession', (store) => store.deleteSession(id))
    } catch (error) {
      const message = 'sign-in failed, and so did deleting its session'
      this.#runtime.log.warn({ err: error, sessionId: id }, message)
    }
  }

  #newSession(id: SessionId, userId: string, options: CreateSessionOptions): Session {
    const { clock, defaultLifetime, policy } = this.#runtime
    const { idleTimeout, absoluteTimeout } = sessionLifetime(options, defaultLifetime)
    const now = clock.now()
    const absoluteDeadline = new Date(now + Math.min(absoluteTimeout, policy.maxAge))
    return Object.freeze({
      id,
      userId,
      createdAt: new Date(now),
      lastActivityAt: new Date(now),
      idleTimeout,
      idleDeadline: idleDeadlineAt(now, idleTimeout, absoluteDeadline),
      absoluteDeadline,
      metadata: checkMetadata(options.metadata),
    })
  }

  /** Creates the session; where that fails, also one that the store creates after all is deleted again. */
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
      const sentTwice = error instanceof GoseshError && error.code === 'GOSESH_ERR_SESSION_EXISTS'
      throw sentTwice ? new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause: error }) : error
    }
  }
}
