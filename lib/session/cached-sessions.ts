import type { VerifyMessage } from '../../types/events.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { SessionRecord } from '../../types/store.js'
import { channels } from '../core/diagnostics.js'
import type { CachedRecord, RecordCache } from '../core/record-cache.js'
import { secretHashOf, sessionIdOf } from '../core/token.js'
import type { Context, ContextSource } from './context.js'
import { extensionBeforeFlush, extensionOnRefresh, laterOf, liveSession } from './lifetime.js'

/** Sessions from memory, with the option `sessionCache`. */
export class CachedSessions {
  readonly #source: ContextSource
  readonly #cache: RecordCache

  constructor(source: ContextSource, cache: RecordCache) {
    this.#source = source
    this.#cache = cache
  }

  /**
   * The session of the token, verified as the store would have it, or `null` if only the store can tell: so this signs in
   * nobody whom the store would refuse, but for what other nodes did in the last `maxStaleness` milliseconds, and signs out
   * nobody. `activity`: it counts as such.
   */
  find(token: SessionToken, at: number, activity: boolean): Session | null {
    const started = channels.verify.hasSubscribers ? performance.now() : 0
    const id = sessionIdOf(token)
    const session = this.#find(id, token, at, activity)
    if (session === null) {
      this.#cache.countMiss()
      return null
    }
    this.#cache.countHit()
    if (channels.verify.hasSubscribers) publish(session, performance.now() - started)
    return session
  }

  #find(id: SessionId, token: SessionToken, at: number, activity: boolean): Session | null {
    const cached = this.#cache.get(id)
    if (cached === null || secretHashOf(token) !== cached.record.secretHash) return null
    try {
      return sessionOf(cached, at, activity, this.#source.context)
    } catch {
      // A record that is none: whoever reads the store reports it.
      return null
    }
  }
}

function sessionOf(cached: CachedRecord, at: number, activity: boolean, context: Context): Session | null {
  const { record } = cached
  const { tracking } = context
  const session = liveSession(
    copyOf(record),
    laterOf(cached.activeAt, tracking?.pending.latest(record.id)),
    at,
    context,
  )
  if (session === null || !activity) return session
  if (isExtensionDue(record, at, context)) return null
  tracking?.pending.record(record.id, at)
  // Once a flush has written it, this alone knows: what the record says of activity stays as it was read.
  if (tracking !== null) cached.activeAt = laterOf(cached.activeAt, at)
  return session
}

/** The application may do with the dates as it likes. */
function copyOf(record: SessionRecord): SessionRecord {
  const { createdAt, authenticatedAt } = record
  return { ...record, createdAt: new Date(createdAt), authenticatedAt: new Date(authenticatedAt) }
}

function isExtensionDue(record: SessionRecord, at: number, { tracking, refreshInterval }: Context): boolean {
  const extension =
    tracking === null
      ? extensionOnRefresh(record, at, refreshInterval)
      : extensionBeforeFlush(record, at, tracking.margin)
  return extension !== null
}

function publish({ id: sessionId, userId, deviceBound }: Session, durationMs: number): void {
  channels.verify.publish({
    outcome: 'verified',
    sessionId,
    userId,
    deviceBound,
    durationMs,
    error: null,
    cached: true,
  } satisfies VerifyMessage)
}
