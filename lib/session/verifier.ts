import type { PendingActivity } from '../../types/activity.js'
import type { VerifyMessage } from '../../types/events.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { SessionExtension } from '../../types/store.js'
import { channels } from '../diagnostics.js'
import { sessionIdOf } from '../token.js'
import { extensionBeforeFlush, extensionOnRefresh, withActivity } from './lifetime.js'
import { liveSession } from './policy.js'
import { type Runtime, storeCalls } from './runtime.js'

/** The live session, or why there is none. */
type Verdict = Session | 'absent' | 'expired'

function sessionOf(verdict: Verdict): Session | null {
  return typeof verdict === 'string' ? null : verdict
}

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
    return sessionOf(
      await (channels.verify.hasSubscribers
        ? this.#judgeAndTell(id, at, activity)
        : this.#judge(id, at, activity)),
    )
  }

  /** The live session of this id as it stands at `at`, or `null`. No activity. */
  async find(id: SessionId, at: number): Promise<Session | null> {
    return sessionOf(await this.#judge(id, at, false))
  }

  async #judge(id: SessionId, at: number, activity: boolean): Promise<Verdict> {
    const { tracking, policy, events } = this.#runtime
    // A flush that ends during the read takes the record away, and the read may not show yet what it wrote.
    const pendingBefore = tracking?.pending.latest(id)
    const stored = await storeCalls(this.#runtime).run('getSession', (store) => store.getSession(id))
    if (!stored) return 'absent'
    const known = withActivity(withActivity(stored, pendingBefore), tracking?.pending.latest(id))
    const session = liveSession(known, at, policy)
    if (session === null) {
      events.ended({ reason: 'expired', sessionId: id, userId: stored.userId, except: null })
      return 'expired'
    }
    if (!activity || (await this.#recordActivity(stored, at))) return session
    return 'absent'
  }

  async #judgeAndTell(id: SessionId, at: number, activity: boolean): Promise<Verdict> {
    const started = performance.now()
    const tell = (outcome: VerifyMessage['outcome'], userId: string | null, error: unknown): void => {
      const durationMs = performance.now() - started
      channels.verify.publish({ outcome, sessionId: id, userId, durationMs, error } satisfies VerifyMessage)
    }
    try {
      const verdict = await this.#judge(id, at, activity)
      if (typeof verdict === 'string') tell(verdict, null, null)
      else tell('verified', verdict.userId, null)
      return verdict
    } catch (error) {
      tell('failed', null, error)
      throw error
    }
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
