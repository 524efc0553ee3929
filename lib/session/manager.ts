import type { ActivityTracker } from '../../types/activity.js'
import type { SessionManager } from '../../types/manager.js'
import type {
  CreateSessionOptions,
  DeleteSessionOptions,
  DeleteUserSessionsOptions,
  VerifyTokenOptions,
} from '../../types/options.js'
import type { Session, SessionId, SessionIdInput, SessionToken, TokenInput } from '../../types/session.js'
import type { SessionStore } from '../../types/store.js'
import { requireCapability } from '../capabilities.js'
import { checkBoolean, checkObject } from '../check.js'
import { GoseshError } from '../errors.js'
import { createToken, isSessionId, isSessionToken, sessionIdOf } from '../token.js'
import { checkMetadata, checkUserId, createSessionKeys, sessionLifetime } from './input.js'
import { idleDeadlineAt, isExpired, withActivity } from './lifetime.js'
import { type Runtime, storeCalls } from './runtime.js'
import type { StoreCalls } from './store-calls.js'
import type { Verifier } from './verifier.js'

/** `app.gosesh`. */
export class Manager implements SessionManager {
  readonly #runtime: Runtime
  readonly #verifier: Verifier

  constructor(runtime: Runtime, verifier: Verifier) {
    this.#runtime = runtime
    this.#verifier = verifier
  }

  get store(): SessionStore {
    return this.#calls.store
  }

  get activityTracker(): ActivityTracker | null {
    return this.#runtime.tracking?.tracker ?? null
  }

  get #calls(): StoreCalls {
    return storeCalls(this.#runtime)
  }

  async createSession(
    userId: string,
    options: CreateSessionOptions = {},
  ): Promise<{ session: Session; token: SessionToken }> {
    checkObject('createSession', options, createSessionKeys)
    const token = createToken()
    const session = this.#newSession(sessionIdOf(token), checkUserId(userId), options)
    await this.#insert(session)
    return { session, token }
  }

  async verifyToken(token: TokenInput, options: VerifyTokenOptions = {}): Promise<Session | null> {
    checkObject('verifyToken', options, ['activity'])
    const activity = checkBoolean('verifyToken.activity', options.activity ?? true)
    if (!isSessionToken(token)) return null
    return await this.#verifier.verify(token, this.#runtime.clock.now(), activity)
  }

  async deleteSession(id: SessionIdInput, options: DeleteSessionOptions = {}): Promise<boolean> {
    checkObject('deleteSession', options, ['userId'])
    const calls = this.#calls
    if (!isSessionId(id)) return false
    // A `userId` that is there and undefined must not come to mean anybody's session.
    if ('userId' in options) {
      checkUserId(options.userId)
      const session = await calls.run('getSession', (store) => store.getSession(id))
      if (session?.userId !== options.userId) return false
    }
    const existed = await calls.run('deleteSession', (store) => store.deleteSession(id))
    this.#runtime.tracking?.pending.forget(id)
    return existed
  }

  async deleteUserSessions(userId: string, options: DeleteUserSessionsOptions = {}): Promise<number> {
    checkObject('deleteUserSessions', options, ['except'])
    const user = checkUserId(userId)
    const { except } = options
    if (except !== undefined && !isSessionId(except)) throw new GoseshError('GOSESH_ERR_SESSION_ID')
    return await this.#calls.run('deleteUserSessions', (store) => store.deleteUserSessions(user, { except }))
  }

  async deleteAllSessions(): Promise<number> {
    const store = requireCapability(this.#calls.store, 'deleteAllSessions', 'app.gosesh.deleteAllSessions()')
    const deleted = await this.#calls.runUnbounded('deleteAllSessions', () => store.deleteAllSessions())
    this.#runtime.tracking?.pending.forgetAll()
    return deleted
  }

  async listUserSessions(userId: string): Promise<Session[]> {
    const user = checkUserId(userId)
    const store = requireCapability(this.#calls.store, 'listUserSessions', 'app.gosesh.listUserSessions()')
    const stored = await this.#calls.run('listUserSessions', () => store.listUserSessions(user))
    const { clock, tracking } = this.#runtime
    const now = clock.now()
    return stored
      .map((session) => withActivity(session, tracking?.pending.latest(session.id)))
      .filter((session) => !isExpired(session, now))
      .sort((a, b) => b.lastActivityAt.getTime() - a.lastActivityAt.getTime())
  }

  async upsertUser(authProviderId: string): Promise<string> {
    const id = checkUserId(authProviderId)
    return await this.#calls.run('upsertUser', (store) => store.upsertUser(id))
  }

  #newSession(id: SessionId, userId: string, options: CreateSessionOptions): Session {
    const { idleTimeout, absoluteTimeout } = sessionLifetime(options, this.#runtime.defaultLifetime)
    const now = this.#runtime.clock.now()
    const absoluteDeadline = new Date(now + absoluteTimeout)
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
    let landing: Promise<void> | undefined
    try {
      await this.#calls.run('createSession', (store) => {
        landing = store.createSession(session)
        return landing
      })
    } catch (error) {
      const undo = (): Promise<unknown> => this.#calls.store.deleteSession(session.id)
      // Nobody holds the token, so this only spares the user's list a session that was never used.
      landing?.then(undo, undo).catch(() => {})
      // No other session has this new id: a client that lost its connection sent the creation twice.
      const sentTwice = error instanceof GoseshError && error.code === 'GOSESH_ERR_SESSION_EXISTS'
      throw sentTwice ? new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause: error }) : error
    }
  }
}
