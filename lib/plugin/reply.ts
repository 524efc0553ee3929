import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { ReplyReauthenticateOptions, SignInOptions, SignOutOptions } from '../../types/options.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { sessionOf } from '../core/internals.js'
import { lifetimeOf } from '../core/timing.js'
import { sessionIdOf } from '../core/token.js'
import { checkBoolean, checkObject } from '../core/validation.js'
import { fromCache, isAmbient, verifiedBy } from '../core/verified-by.js'
import { readToken, resolveCredential } from '../credentials/resolve.js'
import type { Settings } from '../options/options.js'
import type { CreatedSession } from '../session/events.js'
import { createSessionKeys, reauthenticateKeys, sessionLifetime } from '../session/input.js'
import type { SessionServices } from '../session/services.js'
import type { Reauthenticated } from '../session/updater.js'
import { idOwnedBy, type Verification } from '../session/verifier.js'
import type { Challenges } from './challenges.js'
import { clientOf } from './client.js'
import type { DeviceGuard } from './device-guard.js'
import { crossOriginError, type OriginCheck } from './origin-check.js'
import { checkDeliverable, inOrder, isSent, keepFromCaches, type ReplyState, stateOf } from './reply-state.js'
import { changeSession, saveHeldData } from './request-data.js'
import { parseCarry, type Visitors } from './visitors.js'

/** `reply.signIn`, `reply.reauthenticate` and `reply.signOut`. */
export class ReplySigner {
  readonly #settings: Settings
  readonly #services: SessionServices
  readonly #originCheck: OriginCheck
  readonly #challenges: Challenges
  readonly #visitors: Visitors | null
  readonly #devices: DeviceGuard | null
  #warnedOfTransport = false

  constructor(
    settings: Settings,
    services: SessionServices,
    originCheck: OriginCheck,
    challenges: Challenges,
    visitors: Visitors | null,
    devices: DeviceGuard | null,
  ) {
    this.#settings = settings
    this.#services = services
    this.#originCheck = originCheck
    this.#challenges = challenges
    this.#visitors = visitors
    this.#devices = devices
  }

  async signIn(reply: FastifyReply, userId: string, options: SignInOptions = {}): Promise<Session> {
    checkObject('signIn', options, [...createSessionKeys, 'allowCrossOrigin', 'carry'])
    this.#refuseCrossOrigin(reply.request, 'signIn', options)
    const { credentials } = this.#settings
    const writer = credentials.find((credential) => credential.write !== undefined)
    if (writer === undefined) throw new GoseshError('GOSESH_ERR_CREDENTIAL_NOT_WRITABLE')
    await saveHeldData(reply.request)
    const state = stateOf(reply)
    const by = { userId, credential: writer.name, ...clientOf(reply.request) }
    const { session } = await inOrder(state, () =>
      this.#services.events.signIn(by, { reqId: reply.request.id }, () =>
        this.#signIn(reply, state, writer, userId, options),
      ),
    )
    return session
  }

  async reauthenticate(reply: FastifyReply, options: ReplyReauthenticateOptions = {}): Promise<Session> {
    checkObject('reauthenticate', options, [...reauthenticateKeys, 'allowCrossOrigin'])
    this.#refuseCrossOrigin(reply.request, 'reauthenticate', options)
    const state = stateOf(reply)
    return await inOrder(state, () => this.#reauthenticate(reply, state, options))
  }

  /**
   * A new secret for the session of the request, whose cookie is written once `work` is done; if that fails, the old one goes on.
   * A session that began on this reply has one, and a token that no reply can replace stays.
   */
  async rotateSecret(reply: FastifyReply, work: () => Promise<void>): Promise<void> {
    const state = stateOf(reply)
    await inOrder(state, async () => {
      const presented = resolveCredential(this.#settings.credentials, reply.request)
      if (state.session || presented?.credential.write === undefined) return await work()
      const { credential, token } = presented
      const rotate = () =>
        this.#services.updater.rotateSecret(sessionIdOf(token), token, 'request.session.regenerate()')
      await this.#renew(reply, state, credential, rotate, work)
    })
  }

  async signOut(reply: FastifyReply, options: SignOutOptions = {}): Promise<void> {
    checkObject('signOut', options, ['everywhere'])
    const everywhere = checkBoolean('signOut.everywhere', options.everywhere ?? false)
    const state = stateOf(reply)
    await inOrder(state, () => this.#signOut(reply, state, everywhere))
  }

  /** Throws 403 `GOSESH_ERR_CROSS_ORIGIN`. */
  #refuseCrossOrigin(
    request: FastifyRequest,
    method: string,
    { allowCrossOrigin = false }: { readonly allowCrossOrigin?: boolean | undefined },
  ): void {
    const allowed = checkBoolean(`${method}.allowCrossOrigin`, allowCrossOrigin)
    if (!allowed && this.#originCheck.refuses(request)) {
      throw crossOriginError(request, null, this.#services.events)
    }
  }

  async #signIn(
    reply: FastifyReply,
    state: ReplyState,
    writer: Credential,
    userId: string,
    options: SignInOptions,
  ): Promise<CreatedSession> {
    checkDeliverable(reply)
    const { idleTimeout, absoluteTimeout } = sessionLifetime(options, writer)
    const carry = parseCarry(options.carry, this.#visitors)
    const data = carry === null ? undefined : await this.#visitors?.dataOf(reply.request, carry)
    const created = await this.#services.creator.create(
      userId,
      { ...options, idleTimeout, absoluteTimeout },
      {
        replaced: await this.#replacedBy(reply, state, writer),
        data,
        deliver: (token, session) => {
          checkDeliverable(reply)
          const { persistent = true } = options
          this.#write(reply, state, writer, { token, persistent, lifetime: lifetimeOf(session) })
          state.session = session
          state.proved = true
          changeSession(reply.request, session, data)
          // What the reply did before concerned a session that this one replaces.
          state.undo = [this.#endingOf(session.id, userId)]
        },
      },
    )
    if (carry !== null) await this.#visitors?.end(reply.request, reply)
    this.#warnOfTransport(reply, writer)
    return created
  }

  /** Ends a session that nobody can use. It refers to no reply, which would keep every reply from being collected early. */
  #endingOf(id: SessionId, userId: string): () => Promise<void> {
    return () => this.#services.deleter.deleteForCertain([{ id, reason: 'signedOut', userId }])
  }

  /** The session that this reply signed in before, else the one that the same credential proved to be its client's. */
  async #replacedBy(reply: FastifyReply, state: ReplyState, writer: Credential): Promise<SessionId | null> {
    if (state.session) return state.session.id
    const token = readToken(writer, reply.request)
    return token === null ? null : idOwnedBy(token, await this.#verify(reply.request, writer, token))
  }

  /** By the hook if it has read this credential's session, else by one read. Not activity. */
  async #verify(request: FastifyRequest, credential: Credential, token: SessionToken): Promise<Verification> {
    const session = sessionOf(request)
    if (request[verifiedBy] === credential && session !== null && !request[fromCache]) return session
    const found = await this.#services.verifier.verify(token, this.#settings.clock.now(), false)
    return this.#devices?.proved(request, credential, found) ?? found
  }

  #write(
    reply: FastifyReply,
    state: ReplyState,
    writer: Credential,
    { token, persistent, lifetime }: { token: SessionToken; persistent: boolean; lifetime: number },
  ): void {
    writer.write?.(reply, token, persistent ? Math.ceil(lifetime / 1_000) : null)
    keepFromCaches(reply, state, writer)
  }

  async #reauthenticate(
    reply: FastifyReply,
    state: ReplyState,
    options: ReplyReauthenticateOptions,
  ): Promise<Session> {
    const { request } = reply
    const presented = resolveCredential(this.#settings.credentials, request)
    const writer = presented?.credential
    if (presented === null || writer?.write === undefined || state.session === null) {
      throw this.#challenges.unauthenticated(request)
    }
    const { token } = presented
    const verified = state.session ?? (await this.#verify(request, writer, token))
    if (typeof verified === 'string') throw this.#challenges.unauthenticated(request)
    const { id, userId } = verified
    const by = { sessionId: id, userId, factors: options.factors ?? [], ...clientOf(request) }
    // The token of a session that began on this reply is not the one that the request carried.
    const known = state.session === undefined ? token : null
    const change = () => this.#services.updater.reauthenticate(id, known, options, 'reply.reauthenticate()')
    return await this.#services.events.reauthenticate(by, { reqId: request.id }, async () => {
      const session = await this.#renew(reply, state, writer, change)
      state.proved = true
      return session
    })
  }

  /** Changes the secret, does the work, and writes the new token; if that fails, the old one goes on. */
  async #renew(
    reply: FastifyReply,
    state: ReplyState,
    writer: Credential,
    change: () => Promise<Reauthenticated | null>,
    work?: () => Promise<void>,
  ): Promise<Session> {
    checkDeliverable(reply)
    const result = await change()
    if (result === null) throw this.#challenges.unauthenticated(reply.request)
    try {
      await work?.()
      checkDeliverable(reply)
      this.#write(reply, state, writer, result)
    } catch (error) {
      await result.revert()
      throw error
    }
    state.undo.unshift(result.revert)
    state.session = result.session
    return result.session
  }

  async #signOut(reply: FastifyReply, state: ReplyState, everywhere: boolean): Promise<void> {
    const target = await this.#target(reply, state)
    if (target.sessionId !== null) await this.#end(reply, target, everywhere)
    state.session = null
    changeSession(reply.request, null)
    state.undo = []
    if (isSent(reply)) {
      this.#services.events.log.warn(
        {},
        'signed out after the reply was sent, so its credential was not cleared',
      )
      return
    }
    const cleared = [...target.clears]
    for (const credential of cleared) {
      credential.clear?.(reply)
      keepFromCaches(reply, state, credential)
    }
    const { clearSiteData } = this.#settings
    if (cleared.length > 0 && clearSiteData.length > 0) {
      reply.header('clear-site-data', clearSiteData.map((type) => `"${type}"`).join(', '))
    }
  }

  /** What a sign-out on this reply concerns. */
  async #target(reply: FastifyReply, state: ReplyState): Promise<SignOutTarget> {
    if (state.session) {
      return { sessionId: state.session.id, userId: state.session.userId, clears: state.credentials }
    }
    if (state.session === null) return { sessionId: null, userId: null, clears: state.credentials }
    const { credentials } = this.#settings
    const { request } = reply
    const presented = resolveCredential(credentials, request)
    if (presented === null) {
      // A page of another site can have a request sent without its cookie, and must not have the cookie cleared by it.
      return { sessionId: null, userId: null, clears: this.#originCheck.refuses(request) ? [] : credentials }
    }
    const { credential, token } = presented
    if (isAmbient(credential) && this.#originCheck.refuses(request)) {
      throw crossOriginError(request, sessionOf(request), this.#services.events)
    }
    const verification = await this.#verify(request, credential, token)
    return {
      sessionId: idOwnedBy(token, verification),
      // Only a live session can speak for all of its user's.
      userId: typeof verification === 'string' ? null : verification.userId,
      clears: [credential],
    }
  }

  async #end(reply: FastifyReply, { sessionId, userId }: SignOutTarget, everywhere: boolean): Promise<void> {
    const { events, deleter } = this.#services
    const by = { sessionId, userId, everywhere }
    await events.signOut(by, { reqId: reply.request.id }, async () => {
      if (everywhere && userId !== null) await deleter.deleteUserSessions(userId, undefined)
      // If it is gone already, this forgets its pending activity.
      await deleter.delete({ id: sessionId as SessionId, reason: 'signedOut', userId })
    })
  }

  #warnOfTransport(reply: FastifyReply, writer: Credential): void {
    if (this.#warnedOfTransport) return
    const problem = writer.transportProblem?.(reply.request) ?? null
    if (problem === null) return
    this.#warnedOfTransport = true
    this.#services.events.log.warn({ host: reply.request.host }, problem)
  }
}

interface SignOutTarget {
  readonly sessionId: SessionId | null
  readonly userId: string | null
  /** The credentials to clear. */
  readonly clears: Iterable<Credential>
}
