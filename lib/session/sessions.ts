import type { ActivityTracker } from '../../types/activity.js'
import type { SessionDataAccess } from '../../types/data.js'
import type { SessionEndListener } from '../../types/events.js'
import type { SessionManager } from '../../types/manager.js'
import type {
  CreateSessionOptions,
  DeleteSessionOptions,
  DeleteUserSessionsOptions,
  MetadataPatch,
  ReauthenticateOptions,
  UpdateMetadataOptions,
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
import type { SessionCacheStats } from '../../types/session-cache.js'
import type { SessionStore } from '../../types/store.js'
import { GoseshError } from '../core/errors.js'
import { isSessionId, isSessionToken } from '../core/token.js'
import { checkBoolean, checkObject, optionError } from '../core/validation.js'
import type { ContextSource } from './context.js'
import {
  checkMetadataPatch,
  checkUserId,
  createSessionKeys,
  parseMetadata,
  parseMetadataPatch,
  reauthenticateKeys,
} from './input.js'
import { listLiveSessions } from './list.js'
import type { SessionServices } from './services.js'
import { sessionOf } from './verifier.js'

/** `app.gosesh`. */
export class Sessions implements SessionManager {
  readonly policy: EffectivePolicy
  readonly #source: ContextSource
  readonly #services: SessionServices
  readonly #dataOf: (id: SessionIdInput) => SessionDataAccess
  /** False: a session that is bound to a device needs a proof beside its token. */
  readonly #tokenSuffices: boolean

  constructor(
    source: ContextSource,
    services: SessionServices,
    policy: EffectivePolicy,
    dataOf: (id: SessionIdInput) => SessionDataAccess,
    tokenSuffices: boolean,
  ) {
    this.policy = policy
    this.#source = source
    this.#services = services
    this.#dataOf = dataOf
    this.#tokenSuffices = tokenSuffices
  }

  get store(): SessionStore {
    return this.#source.context.store.raw
  }

  get activityTracker(): ActivityTracker | null {
    return this.#source.activityTracker
  }

  get cacheStats(): SessionCacheStats | null {
    return this.#source.cacheStats
  }

  async createSession(
    userId: string,
    options: CreateSessionOptions = {},
  ): Promise<{ session: Session; token: SessionToken }> {
    checkObject('createSession', options, createSessionKeys)
    const { creator, events } = this.#services
    const by = { userId, credential: null, address: null, userAgent: null }
    return await events.signIn(by, {}, () => creator.create(userId, options))
  }

  async verifyToken(token: TokenInput, options: VerifyTokenOptions = {}): Promise<Session | null> {
    checkObject('verifyToken', options, ['activity'])
    const activity = checkBoolean('verifyToken.activity', options.activity ?? true)
    if (!isSessionToken(token)) return null
    const { context } = this.#source
    const suffices = (session: Session): boolean => this.#tokenSuffices || !session.deviceBound
    const counts = activity && (this.#tokenSuffices || suffices)
    const session = sessionOf(await this.#services.verifier.verify(token, context.clock.now(), counts))
    return session !== null && suffices(session) ? session : null
  }

  async getSession(id: SessionIdInput): Promise<Session | null> {
    if (!isSessionId(id)) return null
    const { context } = this.#source
    return await this.#services.verifier.find(id, context.clock.now())
  }

  async reauthenticate(
    id: SessionIdInput,
    options: ReauthenticateOptions = {},
  ): Promise<{ session: Session; token: SessionToken }> {
    checkObject('reauthenticate', options, reauthenticateKeys)
    if (!isSessionId(id)) throw new GoseshError('GOSESH_ERR_UNAUTHENTICATED')
    const { events, updater } = this.#services
    const by = {
      sessionId: id,
      userId: null,
      factors: options.factors ?? [],
      address: null,
      userAgent: null,
    }
    const { session, token } = await events.reauthenticate(by, {}, async () => {
      const result = await updater.reauthenticate(id, null, options, 'app.gosesh.reauthenticate()')
      if (result === null) throw new GoseshError('GOSESH_ERR_UNAUTHENTICATED')
      return result
    })
    return { session, token }
  }

  async updateMetadata(
    id: SessionIdInput,
    patch: MetadataPatch,
    options: UpdateMetadataOptions = {},
  ): Promise<boolean> {
    const checked = checkMetadataPatch(parseMetadataPatch(patch))
    checkObject('updateMetadata', options, ['userId'])
    // A `userId` that is there and undefined must not come to mean anybody's session.
    const userId = 'userId' in options ? checkUserId(options.userId) : null
    if (!isSessionId(id)) return false
    const { events, updater } = this.#services
    const by = { sessionId: id, keys: Object.keys(checked) }
    return await events.updateMetadata(by, () => updater.updateMetadata(id, checked, userId))
  }

  sessionData(id: SessionIdInput): SessionDataAccess {
    return this.#dataOf(id)
  }

  async deleteUser(userId: string): Promise<boolean> {
    const user = checkUserId(userId)
    const { deleter, events } = this.#services
    const existed = await deleter.deleteUser(user)
    events.userDeleted(user)
    return existed
  }

  async deleteSession(id: SessionIdInput, options: DeleteSessionOptions = {}): Promise<boolean> {
    checkObject('deleteSession', options, ['userId'])
    const { store } = this.#source.context
    if (!isSessionId(id)) return false
    const { deleter } = this.#services
    // A `userId` that is there and undefined must not come to mean anybody's session.
    if (!('userId' in options)) return await deleter.delete({ id, reason: 'signedOut', userId: null })
    const userId = checkUserId(options.userId)
    const session = await store.getSession(id)
    if (session?.userId !== userId) return false
    return await deleter.delete({ id, reason: 'signedOut', userId })
  }

  async deleteUserSessions(userId: string, options: DeleteUserSessionsOptions = {}): Promise<number> {
    checkObject('deleteUserSessions', options, ['except'])
    const user = checkUserId(userId)
    const { except } = options
    if (except !== undefined && !isSessionId(except)) throw new GoseshError('GOSESH_ERR_SESSION_ID')
    const deleted = await this.#services.deleter.deleteUserSessions(user, except)
    this.#services.events.userSessionsDeleted(user, except ?? null, deleted)
    return deleted
  }

  async deleteSessionsByMetadata(pairs: SessionMetadata): Promise<number> {
    const checked = parseMetadata(pairs)
    // What is missing must not come to mean any session.
    if (checked === null) throw new GoseshError('GOSESH_ERR_METADATA')
    const deleted = await this.#services.deleter.deleteSessionsByMetadata(checked)
    this.#services.events.sessionsDeletedByMetadata(checked, deleted)
    return deleted
  }

  async deleteAllSessions(): Promise<number> {
    return await this.#services.deleter.deleteAllSessions()
  }

  async listUserSessions(userId: string): Promise<Session[]> {
    return await listLiveSessions(this.#source.context, checkUserId(userId), 'app.gosesh.listUserSessions()')
  }

  async upsertUser(authProviderId: string): Promise<string> {
    const id = checkUserId(authProviderId)
    return await this.#source.context.store.upsertUser(id)
  }

  onSessionEnd(listener: SessionEndListener): () => void {
    if (typeof listener !== 'function') throw optionError('onSessionEnd', listener, 'a function')
    return this.#services.events.onSessionEnd(listener)
  }
}
