import type { PendingActivity, PendingRecord } from '../../types/activity.js'
import type { VerifyMessage } from '../../types/events.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { SessionExtension } from '../../types/store.js'
import { channels } from '../diagnostics.js'
import { sessionIdOf } from '../token.js'
import { extensionBeforeFlush, extensionOnRefresh, withActivity } from './lifetime.js'
import { liveSession } from './policy.js'
import { notReady, type Runtime, storeCalls } from './runtime.js'
import { storeError } from './store-calls.js'

/** The live session, or why there is none. */
type Verdict = Session | 'absent' | 'expired'

type OnVerdict = (verdict: Verdict) => void
type OnFailure = (error: unknown) => void

function sessionOf(verdict: Verdict): Session | null {
  return typeof verdict === 'string' ? null : verdict
}

/** What a store answers with may be no session, whatever its type says. */
function attempt(judge: () => Verdict | Promise<Verdict>): Verdict | Promise<Verdict> {
  try {
    return judge()
  } catch (error) {
    return Promise.reject(storeError('getSession', error))
  }
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
   * due for an extension. One of the two functions is told, once, at once where the store answers at once, and must not
   * throw: every request passes here, and a promise costs more than the rest of it.
   */
  verify(
    token: SessionToken,
    at: number,
    activity: boolean,
    onSession: (session: Session | null) => void,
    onFailure: OnFailure,
  ): void {
    const id = sessionIdOf(token)
    const onVerdict: OnVerdict = (verdict) => onSession(sessionOf(verdict))
    if (channels.verify.hasSubscribers) this.#judgeAndTell(id, at, activity, onVerdict, onFailure)
    else this.#judge(id, at, activity, onVerdict, onFailure)
  }

  /** The live session of this id as it stands at `at`, or `null`. No activity. */
  find(id: SessionId, at: number): Promise<Session | null> {
    return new Promise((resolve, reject) => {
      this.#judge(id, at, false, (verdict) => resolve(sessionOf(verdict)), reject)
    })
  }

  #judge(id: SessionId, at: number, activity: boolean, onVerdict: OnVerdict, onFailure: OnFailure): void {
    // A flush that ends during the read takes the record away, and the read may not show yet what it wrote.
    const pendingBefore = this.#runtime.tracking?.pending.find(id)
    const onAnswer = (stored: Session | null): void => {
      const verdict = attempt(() =>
        stored ? this.#judgeStored(stored, pendingBefore, at, activity) : 'absent',
      )
      if (verdict instanceof Promise) verdict.then(onVerdict, onFailure)
      else onVerdict(verdict)
    }
    const { calls } = this.#runtime
    if (calls === null) onFailure(notReady())
    else calls.start('getSession', (store) => store.getSession(id), onAnswer, onFailure)
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

  #judgeAndTell(
    id: SessionId,
    at: number,
    activity: boolean,
    onVerdict: OnVerdict,
    onFailure: OnFailure,
  ): void {
    const started = performance.now()
    const tell = (outcome: VerifyMessage['outcome'], userId: string | null, error: unknown): void => {
      const durationMs = performance.now() - started
      channels.verify.publish({ outcome, sessionId: id, userId, durationMs, error } satisfies VerifyMessage)
    }
    this.#judge(
      id,
      at,
      activity,
      (verdict) => {
        if (typeof verdict === 'string') tell(verdict, null, null)
        else tell('verified', verdict.userId, null)
        onVerdict(verdict)
      },
      (error) => {
        tell('failed', null, error)
        onFailure(error)
      },
    )
  }

  /** Whether the session still exists, as far as this shows. */
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
