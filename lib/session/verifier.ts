import type { PendingActivity } from '../../types/activity.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { SessionExtension } from '../../types/store.js'
import { sessionIdOf } from '../token.js'
import { extensionBeforeFlush, extensionOnRefresh, isExpired, withActivity } from './lifetime.js'
import { type Runtime, storeCalls } from './runtime.js'

/** Judges a token against the store, and keeps the session alive where that counts as activity. */
export class Verifier {
  readonly #runtime: Runtime
  readonly #extending = new Map<SessionId, Promise<boolean>>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /**
   * The live session of the token as it stood at `at`, or `null`. One store read; a write only for a session that is
   * due for an extension.
   */
  async verify(token: SessionToken, at: number, activity: boolean): Promise<Session | null> {
    const id = sessionIdOf(token)
    const { tracking } = this.#runtime
    // A flush that ends during the read takes the record away, and the read may not show yet what it wrote.
    const pendingBefore = tracking?.pending.latest(id)
    const stored = await storeCalls(this.#runtime).run('getSession', (store) => store.getSession(id))
    if (!stored) return null
    const session = withActivity(withActivity(stored, pendingBefore), tracking?.pending.latest(id))
    if (isExpired(session, at)) return null
    if (!activity || (await this.#recordActivity(stored, at))) return session
    return null
  }

  /** Whether the session still exists, as far as this shows. */
  #recordActivity(stored: Session, at: number): boolean | Promise<boolean> {
    const { tracking, refreshInterval } = this.#runtime
    if (tracking === null) {
      const to = extensionOnRefresh(stored, at, refreshInterval)
      return to === null || this.#extend(stored.id, to)
    }
    tracking.pending.record(stored.id, at)
    const to = extensionBeforeFlush(stored, at, tracking.margin)
    return to === null || this.#extendBeforeFlush(stored.id, to, tracking.pending)
  }

  async #extendBeforeFlush(id: SessionId, to: SessionExtension, pending: PendingActivity): Promise<boolean> {
    const exists = await this.#extend(id, to)
    if (!exists) pending.forget(id)
    return exists
  }

  /** One extension at a time for a session: requests that want one meanwhile wait for it. */
  #extend(id: SessionId, to: SessionExtension): Promise<boolean> {
    const running = this.#extending.get(id)
    if (running !== undefined) return running
    const extension = this.#extendNow(id, to).finally(() => this.#extending.delete(id))
    this.#extending.set(id, extension)
    return extension
  }

  async #extendNow(id: SessionId, to: SessionExtension): Promise<boolean> {
    const { log, tracking } = this.#runtime
    try {
      return await storeCalls(this.#runtime).run('extendSession', (store) => store.extendSession(id, to))
    } catch (error) {
      // With tracking on the activity is pending, so the next flush makes up for it.
      if (tracking === null) throw error
      log.warn({ err: error, sessionId: id }, 'session extension failed, left to the next flush')
      return true
    }
  }
}
