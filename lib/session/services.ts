import type { RecordCache } from '../core/record-cache.js'
import { CachedSessions } from './cached-sessions.js'
import type { ContextSource } from './context.js'
import { SessionCreator } from './creator.js'
import { SessionDeleter } from './deleter.js'
import type { EndsElsewhere } from './ends-elsewhere.js'
import type { SessionEvents } from './events.js'
import { SessionUpdater } from './updater.js'
import { Verifier } from './verifier.js'

/** What can be done with sessions, for `app.gosesh`, the hooks and the reply. */
export interface SessionServices {
  readonly verifier: Verifier
  /** `null`: each request reads the store. */
  readonly cached: CachedSessions | null
  readonly creator: SessionCreator
  readonly deleter: SessionDeleter
  readonly updater: SessionUpdater
  readonly events: SessionEvents
}

export function createServices(
  source: ContextSource,
  events: SessionEvents,
  cache: RecordCache | null,
  elsewhere: EndsElsewhere | null,
): SessionServices {
  const deleter = new SessionDeleter(source, events, elsewhere)
  return {
    verifier: new Verifier(source, events),
    cached: cache && new CachedSessions(source, cache),
    creator: new SessionCreator(source, deleter),
    deleter,
    updater: new SessionUpdater(source, events),
    events,
  }
}
