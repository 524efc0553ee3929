import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../types/credential.js'
import type { SessionManager } from '../types/manager.js'
import type { ClearSiteDataType, SignInOptions, SignOutOptions } from '../types/options.js'
import type { Session, SessionId, SessionToken } from '../types/session.js'
import { checkBoolean, checkObject } from './check.js'
import { readToken, resolveCredential } from './credentials/resolve.js'
import { type CrossOriginPolicy, crossOriginError } from './cross-origin.js'
import { GoseshError } from './errors.js'
import type { SessionEnder } from './session/ender.js'
import type { SessionEvents, StartedSession } from './session/events.js'
import { createSessionKeys, sessionLifetime } from './session/input.js'
import type { SessionStarter } from './session/starter.js'
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

/** What the signer hands its work to. */
export interface SignerParts {
  readonly manager: SessionManager
  readonly credentials: readonly Credential[]
  readonly starter: SessionStarter
  readonly ender: SessionEnder
  readonly events: SessionEvents
  readonly crossOrigin: CrossOriginPolicy
  readonly clearSiteData: readonly ClearSiteDataType[]
}

/** `reply.signIn` and `reply.signOut`. */
export class ReplySigner {
  readonly #parts: SignerParts
  #warnedOfTransport = false

  constructor(parts: SignerParts) {
    this.#parts = parts
  }

  async signIn(reply: FastifyReply, userId: string, options: SignInOptions = {}): Promise<Session> {
    checkObject('signIn', options, [...createSessionKeys, 'allowCrossOrigin'])
    const allowCrossOrigin = checkBoolean('signIn.allowCrossOrigin', options.allowCrossOrigin ?? false)
    const { credentials, crossOrigin, events } = this.#parts
    const writer = credentials.find((credential) => credential.write !== undefined)
    if (writer === undefined) throw new GoseshError('GOSESH_ERR_CREDENTIAL_NOT_WRITABLE')
    const { request } = reply
    if (!allowCrossOrigin && crossOrigin.refuses(request)) throw crossOriginError(request, null, events)
    const state = stateOf(reply)
    const { session } = await inOrder(state, () =>
      events.ofSignIn({ userId, credential: writer.name }, { reqId: request.id }, () =>
        this.#signIn(reply, state, writer, userId, options),
      ),
    )
    return session
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
  ): Promise<StartedSession> {
    if (isSent(reply)) throw new GoseshError('GOSESH_ERR_REPLY_SENT')
    const { idleTimeout, absoluteTimeout } = sessionLifetime(options, writer)
    const { metadata } = options
    // The session that this reply signed in before, else the one that the same credential presented.
    const replaced = state.session?.id ?? presentedId(writer, reply)
    const { starter } = this.#parts
    const started = await starter.start(userId, { idleTimeout, absoluteTimeout, metadata }, replaced)
    try {
      if (isSent(reply)) throw new GoseshError('GOSESH_ERR_REPLY_SENT')
      writer.write?.(reply, started.token, maxAgeOf(started.session))
    } catch (error) {
      await starter.undo(started.session.id)
      throw error
    }
    state.session = started.session
    state.credentials.add(writer)
    this.#warnOfTransport(reply, writer)
    return started
  }

  async #signOut(reply: FastifyReply, state: ReplyState, everywhere: boolean): Promise<void> {
    const target = await this.#target(reply, state, everywhere)
    if (target.sessionId !== null) await this.#end(reply, target, everywhere)
    state.session = null
    if (isSent(reply)) {
      this.#parts.events.log.warn(
        {},
        'signed out after the reply was sent, so its credential was not cleared',
      )
      return
    }
    const cleared = [...target.clears]
    for (const credential of cleared) {
      credential.clear?.(reply)
      state.credentials.add(credential)
    }
    const { clearSiteData } = this.#parts
    if (cleared.length > 0 && clearSiteData.length > 0) {
      reply.header('clear-site-data', clearSiteData.map((type) => `"${type}"`).join(', '))
    }
  }

  /** What a sign-out on this reply concerns. */
  async #target(reply: FastifyReply, state: ReplyState, everywhere: boolean): Promise<SignOutTarget> {
    if (state.session) {
      return { sessionId: state.session.id, userId: state.session.userId, clears: state.credentials }
    }
    if (state.session === null) return { sessionId: null, userId: null, clears: state.credentials }
    const { credentials, crossOrigin } = this.#parts
    const { request } = reply
    const presented = resolveCredential(credentials, request)
    if (presented === null) {
      // A page of another site can have a request sent without its cookie, and must not have the cookie cleared by it.
      return { sessionId: null, userId: null, clears: crossOrigin.refuses(request) ? [] : credentials }
    }
    const session = await this.#presentedSession(request, presented.token, everywhere)
    return {
      sessionId: sessionIdOf(presented.token),
      userId: session?.userId ?? null,
      clears: [presented.credential],
    }
  }

  /** Only a live session can speak for all of its user's: where the hook has not verified it, that is done here. */
  async #presentedSession(
    request: FastifyRequest,
    token: SessionToken,
    everywhere: boolean,
  ): Promise<Session | null> {
    if (request.session?.id === sessionIdOf(token)) return request.session
    return everywhere ? await this.#parts.manager.verifyToken(token, { activity: false }) : null
  }

  async #end(reply: FastifyReply, { sessionId, userId }: SignOutTarget, everywhere: boolean): Promise<void> {
    const { events, ender } = this.#parts
    const by = { sessionId, userId, everywhere }
    await events.ofSignOut(by, { reqId: reply.request.id }, async () => {
      if (everywhere && userId !== null) await ender.endAllOf(userId, undefined)
      // Where it is gone already, this forgets its pending activity.
      await ender.endOne(sessionId as SessionId, 'signedOut', userId)
    })
  }

  #warnOfTransport(reply: FastifyReply, writer: Credential): void {
    if (this.#warnedOfTransport) return
    const problem = writer.transportProblem?.(reply.request) ?? null
    if (problem === null) return
    this.#warnedOfTransport = true
    this.#parts.events.log.warn({ host: reply.request.host }, problem)
  }
}

interface SignOutTarget {
  readonly sessionId: SessionId | null
  readonly userId: string | null
  /** The credentials to clear. */
  readonly clears: Iterable<Credential>
}

/** Seconds until the absolute deadline. */
function maxAgeOf({ createdAt, absoluteDeadline }: Session): number {
  return Math.ceil((absoluteDeadline.getTime() - createdAt.getTime()) / 1_000)
}

function presentedId(credential: Credential, reply: FastifyReply): SessionId | null {
  const token = readToken(credential, reply.request)
  return token === null ? null : sessionIdOf(token)
}
