import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../types/credential.js'
import type { Logger, SignInOptions, SignOutOptions } from '../types/options.js'
import type { Session, SessionId, SessionToken } from '../types/session.js'
import { checkBoolean, checkObject } from './check.js'
import { readToken, resolveCredential } from './credentials/resolve.js'
import { isCrossOrigin } from './cross-origin.js'
import { GoseshError } from './errors.js'
import { createSessionKeys, sessionLifetime } from './session/input.js'
import type { Manager } from './session/manager.js'
import { sessionIdOf } from './token.js'

/** What `signIn` and `signOut` have done on a reply so far. */
export interface ReplyState {
  /** Settles when the calls made so far on this reply have. */
  queue: Promise<unknown>
  /** The session that the reply signed in; `null` once it signed out; `undefined` where it did neither. */
  session: Session | null | undefined
  /** Credentials that it wrote or cleared. */
  readonly credentials: Set<Credential>
}

export const replyState = Symbol('gosesh.replyState')

declare module 'fastify' {
  interface FastifyReply {
    [replyState]: ReplyState | null
  }
}

function stateOf(reply: FastifyReply): ReplyState {
  reply[replyState] ??= { queue: Promise.resolve(), session: undefined, credentials: new Set() }
  return reply[replyState]
}

/** Calls on one reply take effect in the order in which they were made, so that the last one stands. */
function inOrder<T>(state: ReplyState, work: () => Promise<T>): Promise<T> {
  const result = state.queue.then(work)
  state.queue = result.catch(() => {})
  return result
}

function isSent(reply: FastifyReply): boolean {
  return reply.sent || reply.raw.headersSent
}

/** `reply.signIn` and `reply.signOut`. */
export class ReplySigner {
  readonly #credentials: readonly Credential[]
  readonly #manager: Manager
  readonly #log: () => Logger
  #warnedOfTransport = false

  constructor(credentials: readonly Credential[], manager: Manager, log: () => Logger) {
    this.#credentials = credentials
    this.#manager = manager
    this.#log = log
  }

  async signIn(reply: FastifyReply, userId: string, options: SignInOptions = {}): Promise<Session> {
    checkObject('signIn', options, [...createSessionKeys, 'allowCrossOrigin'])
    const allowCrossOrigin = checkBoolean('signIn.allowCrossOrigin', options.allowCrossOrigin ?? false)
    const writer = this.#credentials.find((credential) => credential.write !== undefined)
    if (writer === undefined) throw new GoseshError('GOSESH_ERR_CREDENTIAL_NOT_WRITABLE')
    if (!allowCrossOrigin && isCrossOrigin(reply.request)) throw new GoseshError('GOSESH_ERR_CROSS_ORIGIN')
    const state = stateOf(reply)
    return await inOrder(state, () => this.#signIn(reply, state, writer, userId, options))
  }

  async signOut(reply: FastifyReply, options: SignOutOptions = {}): Promise<void> {
    checkObject('signOut', options, ['everywhere'])
    const everywhere = checkBoolean('signOut.everywhere', options.everywhere ?? false)
    const state = stateOf(reply)
    await inOrder(state, () => this.#signOut(reply, state, everywhere))
  }

  async #signIn(
    reply: FastifyReply,
    state: ReplyState,
    writer: Credential,
    userId: string,
    options: SignInOptions,
  ): Promise<Session> {
    if (isSent(reply)) throw new GoseshError('GOSESH_ERR_REPLY_SENT')
    const { idleTimeout, absoluteTimeout } = sessionLifetime(options, writer)
    const { metadata } = options
    const created = await this.#manager.createSession(userId, { idleTimeout, absoluteTimeout, metadata })
    const { session, token } = created
    try {
      await this.#deletePrevious(reply, state, writer)
      if (isSent(reply)) throw new GoseshError('GOSESH_ERR_REPLY_SENT')
      writer.write?.(reply, token, Math.ceil(absoluteTimeout / 1_000))
    } catch (error) {
      await this.#undo(session.id)
      throw error
    }
    state.session = session
    state.credentials.add(writer)
    this.#warnOfTransport(reply, writer)
    return session
  }

  /** The session that this reply signed in before, else the one that the same credential presented. */
  async #deletePrevious(reply: FastifyReply, state: ReplyState, writer: Credential): Promise<void> {
    const id = state.session?.id ?? presentedId(writer, reply)
    if (id !== null) await this.#manager.deleteSession(id)
  }

  async #undo(id: SessionId): Promise<void> {
    try {
      await this.#manager.deleteSession(id)
    } catch (error) {
      this.#log().warn({ err: error, sessionId: id }, 'sign-in failed, and so did deleting its session')
    }
  }

  async #signOut(reply: FastifyReply, state: ReplyState, everywhere: boolean): Promise<void> {
    const cleared = await this.#endSession(reply, state, everywhere)
    state.session = null
    if (isSent(reply)) {
      this.#log().warn({}, 'signed out after the reply was sent, so its credential was not cleared')
      return
    }
    for (const credential of cleared) {
      credential.clear?.(reply)
      state.credentials.add(credential)
    }
  }

  /** Deletes what there is to delete; returns the credentials to clear. */
  async #endSession(
    reply: FastifyReply,
    state: ReplyState,
    everywhere: boolean,
  ): Promise<Iterable<Credential>> {
    if (state.session) {
      await this.#delete(state.session.id, everywhere ? state.session.userId : null)
      return state.credentials
    }
    if (state.session === null) return state.credentials
    const presented = resolveCredential(this.#credentials, reply.request)
    // A page of another site can have a request sent without its cookie, and must not have the cookie cleared by it.
    if (presented === null) return isCrossOrigin(reply.request) ? [] : this.#credentials
    // Only a live session can speak for all of its user's.
    const session = everywhere ? await this.#verified(reply.request, presented.token) : null
    await this.#delete(sessionIdOf(presented.token), session?.userId ?? null)
    return [presented.credential]
  }

  /** The session that the hook verified; on a `session: false` route it is verified here. */
  async #verified(request: FastifyRequest, token: SessionToken): Promise<Session | null> {
    if (request.session?.id === sessionIdOf(token)) return request.session
    return await this.#manager.verifyToken(token, { activity: false })
  }

  async #delete(id: SessionId, everyOf: string | null): Promise<void> {
    if (everyOf !== null) await this.#manager.deleteUserSessions(everyOf)
    // Where it is gone already, this forgets its pending activity.
    await this.#manager.deleteSession(id)
  }

  #warnOfTransport(reply: FastifyReply, writer: Credential): void {
    if (this.#warnedOfTransport) return
    const problem = writer.transportProblem?.(reply.request) ?? null
    if (problem === null) return
    this.#warnedOfTransport = true
    this.#log().warn({ host: reply.request.host }, problem)
  }
}

function presentedId(credential: Credential, reply: FastifyReply): SessionId | null {
  const token = readToken(credential, reply.request)
  return token === null ? null : sessionIdOf(token)
}
