import type {
  CrossOriginMessage,
  SessionEnd,
  SessionEndListener,
  SignInMessage,
  SignOutMessage,
} from '../../types/events.js'
import type { Logger } from '../../types/options.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import { channels } from '../diagnostics.js'

/** A session that has begun, and the token that its client is to hold. */
export interface StartedSession {
  readonly session: Session
  readonly token: SessionToken
}

type SignInBy = Pick<SignInMessage, 'userId' | 'credential'>
type SignOutBy = Pick<SignOutMessage, 'sessionId' | 'userId' | 'everywhere'>

/** The request that an event belongs to, as Fastify's log lines name it. */
export interface RequestId {
  readonly reqId?: string | undefined
}

/**
 * Tells what happens to sessions: security events to the log at info, each with a stable `event`, and everything to the
 * diagnostics channels and to the listeners of the application.
 */
export class SessionEvents {
  readonly #log: () => Logger
  readonly #listeners = new Set<SessionEndListener>()

  constructor(log: () => Logger) {
    this.#log = log
  }

  /** The logger in force: another one may take its place in `onReady`. */
  get log(): Logger {
    return this.#log()
  }

  /** Whether anybody is told of ends: what has to be read only to tell of them is read only then. */
  get tellsOfEnds(): boolean {
    return this.#listeners.size > 0 || channels.sessionEnd.hasSubscribers
  }

  onSessionEnd(listener: SessionEndListener): () => void {
    // Its own entry, so that a listener given twice is told twice and taken back once.
    const entry: SessionEndListener = (end) => listener(end)
    this.#listeners.add(entry)
    return () => void this.#listeners.delete(entry)
  }

  /** Begins a session, and tells of it. */
  async ofSignIn(
    by: SignInBy,
    request: RequestId,
    start: () => Promise<StartedSession>,
  ): Promise<StartedSession> {
    const started = performance.now()
    const tell = (sessionId: SessionId | null, error: unknown): void => {
      channels.signIn.publish({ ...by, sessionId, durationMs: performance.now() - started, error })
    }
    try {
      const result = await start()
      const { id: sessionId } = result.session
      tell(sessionId, null)
      this.log.info({ event: 'gosesh:sign-in', ...request, sessionId, ...by }, 'signed in')
      return result
    } catch (error) {
      tell(null, error)
      throw error
    }
  }

  /** Ends what a reply signs out, and tells of it. */
  async ofSignOut<T>(by: SignOutBy, request: RequestId, end: () => Promise<T>): Promise<T> {
    const started = performance.now()
    const tell = (error: unknown): void => {
      channels.signOut.publish({ ...by, durationMs: performance.now() - started, error })
    }
    try {
      const result = await end()
      tell(null)
      this.log.info({ event: 'gosesh:sign-out', ...request, ...by }, 'signed out')
      return result
    } catch (error) {
      tell(error)
      throw error
    }
  }

  crossOriginRefused(message: CrossOriginMessage, request: RequestId): void {
    channels.crossOrigin.publish(message)
    this.log.info({ event: 'gosesh:cross-origin', ...request, ...message }, 'cross-origin request refused')
  }

  ended(end: SessionEnd): void {
    const { reason, sessionId, userId } = end
    if (reason === 'evicted') {
      this.log.info({ event: 'gosesh:session-end', reason, sessionId, userId }, 'session evicted')
    }
    channels.sessionEnd.publish(end)
    for (const listener of this.#listeners) this.#tell(listener, end)
  }

  #tell(listener: SessionEndListener, end: SessionEnd): void {
    try {
      listener(end)
    } catch (error) {
      this.log.error({ err: error }, 'a listener of onSessionEnd threw')
    }
  }
}
