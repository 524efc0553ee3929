import type { Channel } from 'node:diagnostics_channel'
import type {
  CrossOriginMessage,
  ReauthenticateMessage,
  SessionEnd,
  SessionEndListener,
  SessionEndReason,
  SignInMessage,
  SignOutMessage,
  UpdateMetadataMessage,
} from '../../types/events.js'
import type { Logger } from '../../types/options.js'
import type { Session, SessionId, SessionMetadata, SessionToken } from '../../types/session.js'
import { channels, eventError } from '../core/diagnostics.js'

/** A new session, and the token for its client. */
export interface CreatedSession {
  readonly session: Session
  readonly token: SessionToken
}

type SignInBy = Pick<SignInMessage, 'userId' | 'credential' | 'address' | 'userAgent'>
type SignOutBy = Pick<SignOutMessage, 'sessionId' | 'userId' | 'everywhere'>
type ReauthenticateBy = Omit<ReauthenticateMessage, 'durationMs' | 'error'>
type UpdateMetadataBy = Pick<UpdateMetadataMessage, 'sessionId' | 'keys'>

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
    const sessionIdOf = (result: CreatedSession | null): Pick<SignInMessage, 'sessionId'> => ({
      sessionId: result?.session.id ?? null,
    })
    const result = await published(channels.signIn, (created) => ({ ...by, ...sessionIdOf(created) }), create)
    this.log.info({ event: 'gosesh:sign-in', ...request, ...sessionIdOf(result), ...by }, 'signed in')
    return result
  }

  /** Signs out by calling `remove`, and publishes how that went. */
  async signOut(by: SignOutBy, request: RequestId, remove: () => Promise<void>): Promise<void> {
    await published(channels.signOut, () => by, remove)
    this.log.info({ event: 'gosesh:sign-out', ...request, ...by }, 'signed out')
  }

  /** Re-authenticates by calling `update`, and publishes how that went. */
  async reauthenticate<T>(by: ReauthenticateBy, request: RequestId, update: () => Promise<T>): Promise<T> {
    const result = await published(channels.reauthenticate, () => by, update)
    this.log.info({ event: 'gosesh:reauthenticate', ...request, ...by }, 're-authenticated')
    return result
  }

  /** Changes metadata by calling `update`, which resolves with false if there is no such session. */
  async updateMetadata(by: UpdateMetadataBy, update: () => Promise<boolean>): Promise<boolean> {
    const exists = await published(channels.updateMetadata, () => by, update)
    if (exists) this.log.info({ event: 'gosesh:update-metadata', ...by }, 'session metadata changed')
    return exists
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

  userDeleted(userId: string): void {
    this.log.info({ event: 'gosesh:user-deleted', userId }, 'user deleted')
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

/** Does the work, and publishes how that went; `describe` is given what it resolved with, or `null`. */
async function published<T>(
  channel: Channel,
  describe: (result: T | null) => object,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  const publish = (result: T | null, error: SignInMessage['error']): void => {
    channel.publish({ ...describe(result), durationMs: performance.now() - started, error })
  }
  try {
    const result = await work()
    publish(result, null)
    return result
  } catch (error) {
    publish(null, eventError(error))
    throw error
  }
}
