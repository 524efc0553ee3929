import type {
  CrossOriginMessage,
  SessionEnd,
  SessionEndListener,
  SessionEndReason,
  SignInMessage,
  SignOutMessage,
} from '../../types/events.js'
import type { Logger } from '../../types/options.js'
import type { Session, SessionId, SessionMetadata, SessionToken } from '../../types/session.js'
import { channels, eventError } from '../core/diagnostics.js'

/** A new session, and the token for its client. */
export interface CreatedSession {
  readonly session: Session
  readonly token: SessionToken
}

type SignInBy = Pick<SignInMessage, 'userId' | 'credential'>
type SignOutBy = Pick<SignOutMessage, 'sessionId' | 'userId' | 'everywhere'>

/** The request that an event belongs to, as Fastify's log lines name it. */
export interface RequestId {
  readonly reqId?: string | undefined
}

/** Ends that are logged on their own; the others belong to a sign-in or a sign-out. */
const loggedReasons: Partial<Record<SessionEndReason, string>> = {
  evicted: 'session evicted',
  expired: 'session expired',
  all: 'all sessions ended',
}
const maxLoggedExpiries = 1_000

/**
 * Publishes what happens to sessions: security events to the log at info, each with a stable `event`, and everything to
 * the diagnostics channels and to the application's listeners.
 */
export class SessionEvents {
  readonly #log: () => Logger
  readonly #listeners = new Set<SessionEndListener>()
  readonly #loggedExpiries = new Set<SessionId | null>()

  constructor(log: () => Logger) {
    this.#log = log
  }

  /** The logger in force: another one may take its place in `onReady`. */
  get log(): Logger {
    return this.#log()
  }

  /** True if anyone listens for session ends; callers skip reads that only the event needs. */
  get hasEndListeners(): boolean {
    return this.#listeners.size > 0 || channels.sessionEnd.hasSubscribers
  }

  onSessionEnd(listener: SessionEndListener): () => void {
    // An entry of its own, so that a listener added twice is called twice and removed once.
    const entry: SessionEndListener = (end) => listener(end)
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  /** Signs in by calling `create`, and publishes how that went. */
  async signIn(
    by: SignInBy,
    request: RequestId,
    create: () => Promise<CreatedSession>,
  ): Promise<CreatedSession> {
    const started = performance.now()
    const publish = (sessionId: SessionId | null, error: SignInMessage['error']): void => {
      const durationMs = performance.now() - started
      channels.signIn.publish({ ...by, sessionId, durationMs, error } satisfies SignInMessage)
    }
    try {
      const result = await create()
      const { id: sessionId } = result.session
      publish(sessionId, null)
      this.log.info({ event: 'gosesh:sign-in', ...request, sessionId, ...by }, 'signed in')
      return result
    } catch (error) {
      publish(null, eventError(error))
      throw error
    }
  }

  /** Signs out by calling `remove`, and publishes how that went. */
  async signOut<T>(by: SignOutBy, request: RequestId, remove: () => Promise<T>): Promise<T> {
    const started = performance.now()
    const publish = (error: SignOutMessage['error']): void => {
      const durationMs = performance.now() - started
      channels.signOut.publish({ ...by, durationMs, error } satisfies SignOutMessage)
    }
    try {
      const result = await remove()
      publish(null)
      this.log.info({ event: 'gosesh:sign-out', ...request, ...by }, 'signed out')
      return result
    } catch (error) {
      publish(eventError(error))
      throw error
    }
  }

  crossOriginRefused(message: CrossOriginMessage, request: RequestId): void {
    channels.crossOrigin.publish(message)
    const hint = 'list the origin in trustedOrigins if it is yours'
    this.log.info(
      { event: 'gosesh:cross-origin', ...request, ...message, hint },
      'cross-origin request refused',
    )
  }

  sessionEnded(end: SessionEnd): void {
    this.#logEnd(end)
    channels.sessionEnd.publish(end)
    for (const listener of this.#listeners) void this.#call(listener, end)
  }

  /** Logs a call of `deleteUserSessions`. Listeners hear of each session by `sessionEnded`. */
  userSessionsDeleted(userId: string, except: SessionId | null, deletedCount: number): void {
    const details = { event: 'gosesh:user-sessions-deleted', userId, except, deletedCount }
    this.log.info(details, 'sessions of a user deleted')
  }

  /** Logs the keys alone, as values may be personal. */
  sessionsDeletedByMetadata(pairs: SessionMetadata, deletedCount: number): void {
    const details = { event: 'gosesh:sessions-deleted-by-metadata', keys: Object.keys(pairs), deletedCount }
    this.log.info(details, 'sessions deleted by metadata')
  }

  #logEnd({ reason, sessionId, userId }: SessionEnd): void {
    const message = loggedReasons[reason]
    if (message === undefined || (reason === 'expired' && !this.#isNew(sessionId))) return
    this.log.info({ event: 'gosesh:session-end', reason, sessionId, userId }, message)
  }

  /** A browser may send the cookie of an expired session again and again: that is one line. */
  #isNew(id: SessionId | null): boolean {
    if (this.#loggedExpiries.has(id)) return false
    if (this.#loggedExpiries.size >= maxLoggedExpiries) this.#loggedExpiries.clear()
    this.#loggedExpiries.add(id)
    return true
  }

  async #call(listener: SessionEndListener, end: SessionEnd): Promise<void> {
    try {
      await listener(end)
    } catch (error) {
      this.log.error({ err: error }, 'a listener of onSessionEnd threw')
    }
  }
}
