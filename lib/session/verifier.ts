import type { VerifyMessage } from '../../types/events.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { SessionExtension, SessionStore } from '../../types/store.js'
import { channels, eventError } from '../core/diagnostics.js'
import type { PendingActivity, PendingRecord } from '../core/pending-activity.js'
import { isPromise } from '../core/timing.js'
import { sessionIdOf } from '../core/token.js'
import { storeError } from './bounded-store.js'
import { extensionBeforeFlush, extensionOnRefresh, withActivity } from './lifetime.js'
import { liveSession } from './policy.js'
import { notReady, type Runtime, storeCalls } from './runtime.js'

/** The live session, or why there is none. */
export type Verdict = Session | 'absent' | 'expired'

export function sessionOf(verdict: Verdict): Session | null {
  return typeof verdict === 'string' ? null : verdict
}

/** Who asked. One of the two is called, once, and must not throw. */
export interface VerdictListener {
  onVerdict(verdict: Verdict): void
  onFailure(error: unknown): void
}

function readSession(store: SessionStore, id: SessionId): Session | null | Promise<Session | null> {
  return store.getSession(id)
}

function tell(listener: VerdictListener, verdict: Verdict | Promise<Verdict>): void {
  if (!(verdict instanceof Promise)) listener.onVerdict(verdict)
  else
    verdict.then(
      (settled) => listener.onVerdict(settled),
      (error) => listener.onFailure(error),
    )
}

/** Publishes the outcome on the diagnostics channel before the listener hears of it. */
class Publisher implements VerdictListener {
  readonly #sessionId: SessionId
  readonly #listener: VerdictListener
  readonly #started = performance.now()

  constructor(sessionId: SessionId, listener: VerdictListener) {
    this.#sessionId = sessionId
    this.#listener = listener
  }

  onVerdict(verdict: Verdict): void {
    if (typeof verdict === 'string') this.#publish(verdict, null, null)
    else this.#publish('verified', verdict.userId, null)
    this.#listener.onVerdict(verdict)
  }

  onFailure(error: unknown): void {
    this.#publish('failed', null, eventError(error))
    this.#listener.onFailure(error)
  }

  #publish(outcome: VerifyMessage['outcome'], userId: string | null, error: VerifyMessage['error']): void {
    const durationMs = performance.now() - this.#started
    const sessionId = this.#sessionId
    channels.verify.publish({ outcome, sessionId, userId, durationMs, error } satisfies VerifyMessage)
  }
}

/** Judges a token against the store, and keeps the session alive if that counts as activity. */
export class Verifier {
  readonly #runtime: Runtime
  readonly #extending = new Map<SessionId, Promise<boolean>>()

  constructor(runtime: Runtime) {
    this.#runtime = runtime
  }

  /**
   * Tells of the live session of the token as it stood at `at`: at once if the store answers at once. One store read;
   * a write only for a session that is due for an extension. Every request passes here: no promise, and no function made
   * for a step, if the store has the answer at hand.
   */
  verify(token: SessionToken, at: number, activity: boolean, listener: VerdictListener): void {
    const id = sessionIdOf(token)
    this.#judge(id, at, activity, channels.verify.hasSubscribers ? new Publisher(id, listener) : listener)
  }

  /** The live session of this id as it stands at `at`, or `null`. No activity. */
  find(id: SessionId, at: number): Promise<Session | null> {
    return new Promise((resolve, reject) => {
      this.#judge(id, at, false, {
        onVerdict: (verdict) => resolve(sessionOf(verdict)),
        onFailure: reject,
      })
    })
  }

  #judge(id: SessionId, at: number, activity: boolean, listener: VerdictListener): void {
    const { calls, tracking } = this.#runtime
    if (calls === null) {
      listener.onFailure(notReady())
      return
    }
    // A flush that ends during the read takes the record away, and the read may not show yet what it wrote.
    const pendingBefore = tracking?.pending.find(id)
    const answer = calls.ask(readSession, id)
    if (isPromise(answer)) this.#judgeLater(answer, pendingBefore, at, activity, listener)
    else tell(listener, this.#judgeAnswer(answer, pendingBefore, at, activity))
  }

  /** Apart from `#judge`, which would else keep its variables for these functions at every request. */
  #judgeLater(
    answer: Promise<Session | null>,
    pendingBefore: PendingRecord | undefined,
    at: number,
    activity: boolean,
    listener: VerdictListener,
  ): void {
    storeCalls(this.#runtime).bound(
      'getSession',
      answer,
      (stored) => tell(listener, this.#judgeAnswer(stored, pendingBefore, at, activity)),
      (error) => listener.onFailure(error),
    )
  }

  /** What a store answers with may be no session, whatever its type says. */
  #judgeAnswer(
    stored: Session | null,
    pendingBefore: PendingRecord | undefined,
    at: number,
    activity: boolean,
  ): Verdict | Promise<Verdict> {
    try {
      return stored ? this.#judgeStored(stored, pendingBefore, at, activity) : 'absent'
    } catch (error) {
      return Promise.reject(storeError('getSession', error))
    }
  }

  #judgeStored(
    stored: Session,
    pendingBefore: PendingRecord | undefined,
    at: number,
    activity: boolean,
  ): Verdict | Promise<Verdict> {
    const { tracking, policy, events } = this.#runtime
    const { id, userId } = stored
    const known = withActivity(stored, tracking?.pending.latest(id, pendingBefore))
    const session = liveSession(known, at, policy)
    if (session === null) {
      events.ended({ reason: 'expired', sessionId: id, userId, except: null })
      return 'expired'
    }
    const exists = !activity || this.#recordActivity(stored, at, pendingBefore)
    if (exists === true) return session
    return exists.then((still) => (still ? session : 'absent'))
  }

  /** False if this shows that the session no longer exists. */
  #recordActivity(stored: Session, at: number, known: PendingRecord | undefined): true | Promise<boolean> {
    const { tracking, refreshInterval } = this.#runtime
    if (tracking === null) {
      const to = extensionOnRefresh(stored, at, refreshInterval)
      return to === null || this.#extend(stored.id, to)
    }
    tracking.pending.record(stored.id, at, known)
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
