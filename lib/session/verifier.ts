import type { VerifyMessage } from '../../types/events.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { SessionExtension, SessionRecord } from '../../types/store.js'
import { channels, eventError } from '../core/diagnostics.js'
import { isPromise } from '../core/timing.js'
import { secretHashOf, sessionIdOf } from '../core/token.js'
import { storeError } from './bounded-store.js'
import type { Context, ContextSource, Tracking } from './context.js'
import type { SessionEvents } from './events.js'
import { extensionBeforeFlush, extensionOnRefresh, laterOf, liveSession } from './lifetime.js'

/**
 * The live session, or why there is none. `mismatch`: there is one of this id, and the secret is not its own: an old token
 * after a re-authentication, or a guess.
 */
export type Verification = Session | 'absent' | 'expired' | 'mismatch'

/** True if the request counts as activity; a function decides by the session that it would keep alive. */
export type CountsAsActivity = boolean | ((session: Session) => boolean)

export function sessionOf(verification: Verification): Session | null {
  return typeof verification === 'string' ? null : verification
}

/** The session that the token's secret proved to be its client's, expired or not; else `null`: an id is public. */
export function idOwnedBy(token: SessionToken, verification: Verification): SessionId | null {
  return verification === 'absent' || verification === 'mismatch' ? null : sessionIdOf(token)
}

/** Verifies tokens against the store, and keeps a session alive if the request counts as activity. */
export class Verifier {
  readonly #source: ContextSource
  readonly #events: SessionEvents
  readonly #extending = new Map<SessionId, Promise<boolean>>()

  constructor(source: ContextSource, events: SessionEvents) {
    this.#source = source
    this.#events = events
  }

  /**
   * The live session of the token as it stands at `at`, at once if the store has the answer at hand. One read; a write
   * only for a session that is due for an extension. It may throw as well as reject.
   */
  verify(token: SessionToken, at: number, activity: CountsAsActivity): Verification | Promise<Verification> {
    if (!channels.verify.hasSubscribers) return this.#verify(sessionIdOf(token), token, at, activity)
    const id = sessionIdOf(token)
    return publishing(id, () => this.#verify(id, token, at, activity))
  }

  /** The live session of this id as it stands at `at`, or `null`. Not activity, and not published. */
  async find(id: SessionId, at: number): Promise<Session | null> {
    return sessionOf(await this.#verify(id, null, at, false))
  }

  /** Without a token whoever asks is the application, which needs none. */
  #verify(
    id: SessionId,
    token: SessionToken | null,
    at: number,
    activity: CountsAsActivity,
  ): Verification | Promise<Verification> {
    const { context } = this.#source
    const { store, tracking } = context
    const pending = tracking?.pending.latest(id)
    const stored = store.getSession(id)
    if (!isPromise(stored)) return this.#check(context, stored, token, at, activity, pending)
    return stored.then((record) => {
      // A flush that ended during the read took its record away, and the read may not show yet what it wrote.
      const recorded = tracking?.pending.latest(id)
      return this.#check(context, record, token, at, activity, laterOf(pending, recorded))
    })
  }

  #check(
    context: Context,
    stored: SessionRecord | null,
    token: SessionToken | null,
    at: number,
    activity: CountsAsActivity,
    pending: number | undefined,
  ): Verification | Promise<Verification> {
    try {
      if (!stored || stored.userId === null) return 'absent'
      if (typeof stored.secretHash !== 'string') throw new TypeError('the record has no secretHash')
      // Whoever measures how long a comparison takes learns of the hash alone, which signs nobody in.
      if (token !== null && secretHashOf(token) !== stored.secretHash) return 'mismatch'
      return this.#checkStored(context, stored, at, activity, pending)
    } catch (error) {
      // Whatever its type says, a store may answer with what is no session.
      throw storeError('getSession', error)
    }
  }

  #checkStored(
    context: Context,
    stored: SessionRecord,
    at: number,
    activity: CountsAsActivity,
    pending: number | undefined,
  ): Verification | Promise<Verification> {
    const session = liveSession(stored, pending, at, context)
    if (session === null) {
      const { id, userId } = stored
      this.#events.sessionEnded({ reason: 'expired', sessionId: id, userId, except: null })
      return 'expired'
    }
    const counts = typeof activity === 'boolean' ? activity : activity(session)
    const exists = !counts || this.#recordActivity(context, stored, at)
    return exists === true ? session : exists.then((still) => (still ? session : 'absent'))
  }

  /** False if this shows that the session no longer exists. */
  #recordActivity(
    { tracking, refreshInterval }: Context,
    stored: SessionRecord,
    at: number,
  ): true | Promise<boolean> {
    if (tracking === null) {
      const to = extensionOnRefresh(stored, at, refreshInterval)
      return to === null || this.#extend(stored.id, to)
    }
    tracking.pending.record(stored.id, at)
    const to = extensionBeforeFlush(stored, at, tracking.margin)
    return to === null || this.#extendBeforeFlush(stored.id, to, tracking)
  }

  async #extendBeforeFlush(id: SessionId, to: SessionExtension, { pending }: Tracking): Promise<boolean> {
    const exists = await this.#extend(id, to)
    if (!exists) pending.forget(id)
    return exists
  }

  /** One extension of a session at a time: requests that want one meanwhile wait for it. */
  #extend(id: SessionId, to: SessionExtension): Promise<boolean> {
    const running = this.#extending.get(id)
    if (running !== undefined) return running
    const extension = this.#extendNow(id, to).finally(() => this.#extending.delete(id))
    this.#extending.set(id, extension)
    return extension
  }

  async #extendNow(id: SessionId, to: SessionExtension): Promise<boolean> {
    const { store, log, tracking } = this.#source.context
    try {
      return await store.extendSession(id, to)
    } catch (error) {
      // With tracking on the activity is pending, so the next flush makes up for it.
      if (tracking === null) throw error
      log.warn({ err: error, sessionId: id }, 'session extension failed, left to the next flush')
      return true
    }
  }
}

/** Publishes the outcome on the diagnostics channel. */
function publishing(
  sessionId: SessionId,
  verify: () => Verification | Promise<Verification>,
): Verification | Promise<Verification> {
  const started = performance.now()
  const publish = (
    outcome: VerifyMessage['outcome'],
    session: Session | null,
    error: VerifyMessage['error'],
  ): void => {
    const durationMs = performance.now() - started
    const { userId = null, deviceBound = false } = session ?? {}
    const message = { outcome, sessionId, userId, deviceBound, durationMs, error, cached: false }
    channels.verify.publish(message satisfies VerifyMessage)
  }
  const succeed = (verification: Verification): Verification => {
    if (typeof verification === 'string') publish(verification, null, null)
    else publish('verified', verification, null)
    return verification
  }
  const fail = (error: unknown): never => {
    publish('failed', null, eventError(error))
    throw error
  }
  try {
    const verification = verify()
    return isPromise(verification) ? verification.then(succeed, fail) : succeed(verification)
  } catch (error) {
    return fail(error)
  }
}
