import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { SignInOptions, SignOutOptions } from '../../types/options.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { lifetimeOf } from '../core/timing.js'
import { sessionIdOf } from '../core/token.js'
import { checkBoolean, checkObject } from '../core/validation.js'
import { isAmbient } from '../core/verified-by.js'
import { readToken, resolveCredential } from '../credentials/resolve.js'
import type { Settings } from '../options/options.js'
import type { CreatedSession } from '../session/events.js'
import { createSessionKeys, sessionLifetime } from '../session/input.js'
import type { SessionServices } from '../session/services.js'
import { sessionOf } from '../session/verifier.js'
import { forbidCaching, varyBy } from './cache-headers.js'
import { crossOriginError, type OriginCheck } from './origin-check.js'

/** What `signIn` and `signOut` have done on a reply so far. */
export interface ReplyState {
  /** Settles when the calls made so far on this reply have. */
  queue: Promise<unknown>
  /** The session that the reply signed in; `null` once it signed out; `undefined` if it did neither. */
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

/** Throws if no credential can reach the client any more. */
function checkDeliverable(reply: FastifyReply): void {
  if (isSent(reply)) throw new GoseshError('GOSESH_ERR_REPLY_SENT')
  // Of HTTP/2 only the request knows.
  if (!reply.raw.destroyed && !reply.request.raw.aborted) return
  const message = 'The client closed the connection before signIn could write the credential'
  throw new GoseshError('GOSESH_ERR_REPLY_SENT', { message, statusCode: 400 })
}

/** `reply.signIn` and `reply.signOut`. */
export class ReplySigner {
  readonly #settings: Settings
  readonly #services: SessionServices
  readonly #originCheck: OriginCheck
  #warnedOfTransport = false

  constructor(settings: Settings, services: SessionServices, originCheck: OriginCheck) {
    this.#settings = settings
    this.#services = services
    this.#originCheck = originCheck
  }

  async signIn(reply: FastifyReply, userId: string, options: SignInOptions = {}): Promise<Session> {
    checkObject('signIn', options, [...createSessionKeys, 'allowCrossOrigin', 'persistent'])
    const allowCrossOrigin = checkBoolean('signIn.allowCrossOrigin', options.allowCrossOrigin ?? false)
    checkBoolean('signIn.persistent', options.persistent ?? true)
    const { credentials } = this.#settings
    const { events } = this.#services
    const writer = credentials.find((credential) => credential.write !== undefined)
    if (writer === undefined) throw new GoseshError('GOSESH_ERR_CREDENTIAL_NOT_WRITABLE')
    const { request } = reply
    if (!allowCrossOrigin && this.#originCheck.refuses(request)) {
      throw crossOriginError(request, null, events)
    }
    const state = stateOf(reply)
    const { session } = await inOrder(state, () =>
      events.signIn({ userId, credential: writer.name }, { reqId: request.id }, () =>
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
  ): Promise<CreatedSession> {
    checkDeliverable(reply)
    const { idleTimeout, absoluteTimeout } = sessionLifetime(options, writer)
    const { createdAt, metadata, persistent } = options
    const created = await this.#services.creator.create(
      userId,
      { idleTimeout, absoluteTimeout, createdAt, metadata },
      {
        // The session that this reply signed in before, else the one that the same credential presented.
        replaced: state.session?.id ?? presentedId(writer, reply),
        deliver: (token, session) => {
          checkDeliverable(reply)
          writer.write?.(reply, token, persistent === false ? null : Math.ceil(lifetimeOf(session) / 1_000))
          keepFromCaches(reply, state, writer)
          if (state.session === undefined) this.#deleteIfUndelivered(reply, state)
          state.session = session
        },
      },
    )
    this.#warnOfTransport(reply, writer)
    return created
  }

  /** A client that hangs up before the headers are sent never gets its token: a session that nobody can use ends. */
  #deleteIfUndelivered(reply: FastifyReply, state: ReplyState): void {
    reply.raw.once('close', () => {
      if (reply.raw.headersSent || !state.session) return
      const { id, userId } = state.session
      void this.#services.deleter.deleteForCertain([{ id, reason: 'signedOut', userId }])
    })
  }

  async #signOut(reply: FastifyReply, state: ReplyState, everywhere: boolean): Promise<void> {
    const target = await this.#target(reply, state, everywhere)
    if (target.sessionId !== null) await this.#end(reply, target, everywhere)
    state.session = null
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
  async #target(reply: FastifyReply, state: ReplyState, everywhere: boolean): Promise<SignOutTarget> {
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
    if (isAmbient(presented.credential) && this.#originCheck.refuses(request)) {
      throw crossOriginError(request, request.session, this.#services.events)
    }
    const session = await this.#presentedSession(request, presented.token, everywhere)
    return {
      sessionId: sessionIdOf(presented.token),
      userId: session?.userId ?? null,
      clears: [presented.credential],
    }
  }

  /** Only a live session can speak for all of its user's: if the hook has not verified it, that is done here. */
  async #presentedSession(
    request: FastifyRequest,
    token: SessionToken,
    everywhere: boolean,
  ): Promise<Session | null> {
    if (request.session?.id === sessionIdOf(token)) return request.session
    if (!everywhere) return null
    return sessionOf(await this.#services.verifier.verify(token, this.#settings.clock.now(), false))
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

/** The `onSend` hook says it again; inside an `onSend` of the application it has run already. */
function keepFromCaches(reply: FastifyReply, state: ReplyState, credential: Credential): void {
  state.credentials.add(credential)
  forbidCaching(reply)
  varyBy(reply, [credential.header])
}

function presentedId(credential: Credential, reply: FastifyReply): SessionId | null {
  const token = readToken(credential, reply.request)
  return token === null ? null : sessionIdOf(token)
}
