import type { ActivityTracker } from '../../types/activity.js'
import type { SessionEndListener } from '../../types/events.js'
import type { SessionManager } from '../../types/manager.js'
import type {
  CreateSessionOptions,
  DeleteSessionOptions,
  DeleteUserSessionsOptions,
  VerifyTokenOptions,
} from '../../types/options.js'
import type { EffectivePolicy } from '../../types/policy.js'
import type {
  Session,
  SessionIdInput,
  SessionMetadata,
  SessionToken,
  TokenInput,
} from '../../types/session.js'
import type { SessionStore } from '../../types/store.js'
import { GoseshError } from '../core/errors.js'
import { isSessionId, isSessionToken } from '../core/token.js'
import { checkBoolean, checkObject, optionError } from '../core/validation.js'
import type { SessionEnder } from './ender.js'
import { checkMetadata, checkUserId, createSessionKeys } from './input.js'
import { listLiveSessions } from './listing.js'
import { type Runtime, storeCalls } from './runtime.js'
import type { SessionStarter } from './starter.js'
import { sessionOf, type Verifier } from './verifier.js'

/** What the manager hands its work to. */
export interface ManagerParts {
  readonly verifier: Verifier
  readonly starter: SessionStarter
  readonly ender: SessionEnder
}

/** `app.gosesh`. */
export class Manager implements SessionManager {
  readonly policy: EffectivePolicy
  readonly #runtime: Runtime
  readonly #parts: ManagerParts

  constructor(runtime: Runtime, parts: ManagerParts, policy: EffectivePolicy) {
    this.policy = policy
    this.#runtime = runtime
    this.#parts = parts
  }

  get store(): SessionStore {
    return storeCalls(this.#runtime).store
  }

  get activityTracker(): ActivityTracker | null {
    return this.#runtime.tracking?.tracker ?? null
  }

  async createSession(
    userId: string,
    options: CreateSessionOptions = {},
  ): Promise<{ session: Session; token: SessionToken }> {
    checkObject('createSession', options, createSessionKeys)
    const { starter } = this.#parts
    return await this.#runtime.events.ofSignIn({ userId, credential: null }, {}, () =>
      starter.start(userId, options),
    )
  }

  async verifyToken(token: TokenInput, options: VerifyTokenOptions = {}): Promise<Session | null> {
    checkObject('verifyToken', options, ['activity'])
    const activity = checkBoolean('verifyToken.activity', options.activity ?? true)
    if (!isSessionToken(token)) return null
    const { verifier } = this.#parts
    return await new Promise((resolve, reject) => {
      verifier.verify(token, this.#runtime.clock.now(), activity, {
        onVerdict: (verdict) => resolve(sessionOf(verdict)),
        onFailure: reject,
      })
    })
  }

  async getSession(id: SessionIdInput): Promise<Session | null> {
    if (!isSessionId(id)) return null
    return await this.#parts.verifier.find(id, this.#runtime.clock.now())
  }

  async deleteSession(id: SessionIdInput, options: DeleteSessionOptions = {}): Promise<boolean> {
    checkObject('deleteSession', options, ['userId'])
    const calls = storeCalls(this.#runtime)
    if (!isSessionId(id)) return false
    // A `userId` that is there and undefined must not come to mean anybody's session.
    if (!('userId' in options)) return await this.#parts.ender.endOne(id, 'signedOut', null)
    const userId = checkUserId(options.userId)
    const session = await calls.run('getSession', (store) => store.getSession(id))
    if (session?.userId !== userId) return false
    return await this.#parts.ender.endOne(id, 'signedOut', userId)
  }

  async deleteUserSessions(userId: string, options: DeleteUserSessionsOptions = {}): Promise<number> {
    checkObject('deleteUserSessions', options, ['except'])
    const user = checkUserId(userId)
    const { except } = options
    if (except !== undefined && !isSessionId(except)) throw new GoseshError('GOSESH_ERR_SESSION_ID')
    const deleted = await this.#parts.ender.endAllOf(user, except)
    this.#runtime.events.userSessionsDeleted(user, except ?? null, deleted)
    return deleted
  }

  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<number> {
    const checked = checkMetadata(pairs)
    // What is missing must not come to mean any session.
    if (checked === null) throw new GoseshError('GOSESH_ERR_METADATA')
    const deleted = await this.#parts.ender.endByMetadata(checked)
    this.#runtime.events.sessionsDeletedByMetadata(checked, deleted)
    return deleted
  }

  async deleteAllSessions(): Promise<number> {
    return await this.#parts.ender.endEverybodys()
  }

  async listUserSessions(userId: string): Promise<Session[]> {
    return await listLiveSessions(this.#runtime, checkUserId(userId), 'app.gosesh.listUserSessions()')
  }

  async upsertUser(authProviderId: string): Promise<string> {
    const id = checkUserId(authProviderId)
    return await storeCalls(this.#runtime).run('upsertUser', (store) => store.upsertUser(id))
  }

  onSessionEnd(listener: SessionEndListener): () => void {
    if (typeof listener !== 'function') throw optionError('onSessionEnd', listener, 'a function')
    return this.#runtime.events.onSessionEnd(listener)
  }
}
