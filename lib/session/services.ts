import type { ContextSource } from './context.js'
import { SessionCreator } from './creator.js'
import { SessionDeleter } from './deleter.js'
import type { SessionEvents } from './events.js'
import { SessionUpdater } from './updater.js'
import { Verifier } from './verifier.js'

/** What can be done with sessions, for `app.gosesh`, the hooks and the reply. */
export interface SessionServices {
  readonly verifier: Verifier
  readonly creator: SessionCreator
  readonly deleter: SessionDeleter
  readonly updater: SessionUpdater
  readonly events: SessionEvents
}

export function createServices(source: ContextSource, events: SessionEvents): SessionServices {
  const deleter = new SessionDeleter(source, events)
  return {
    verifier: new Verifier(source, events),
    creator: new SessionCreator(source, deleter),
    deleter,
    updater: new SessionUpdater(source, events),
    events,
  }
}
