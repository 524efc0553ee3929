import type { Logger } from '../../types/options.js'
import type { SelfExpiring, SessionStore } from '../../types/store.js'
import type { Settings } from '../options/options.js'
import { MemoryStore } from '../stores/memory/store.js'

/**
 * Milliseconds after which activity is in the store for certain, unless the store is down, counted from the arrival of
 * the request: it is recorded once the session has been read.
 */
export function flushMargin({ activityTracking, storeTimeout }: Settings): number {
  if (activityTracking === null) return 0
  return 2 * activityTracking.flushInterval + activityTracking.flushTimeout + storeTimeout
}

/** Warns of settings that are valid, and seldom what was meant. */
export function warnOfSettings(
  settings: Settings,
  store: SessionStore & Partial<SelfExpiring>,
  log: Logger,
): void {
  const { activityTracking, notBefore, clock } = settings
  if (notBefore > clock.now()) {
    const details = { notBefore: new Date(notBefore).toISOString() }
    log.warn(details, 'notBefore is in the future: until then every session is refused')
  }
  if (store instanceof MemoryStore && process.env.NODE_ENV === 'production') {
    log.warn(
      {},
      'sessions are in the memory of this process: a restart ends them, and other processes do not see them; set the option store',
    )
  }
  if (activityTracking !== null) warnOfTracking(settings, store, log)
}

function warnOfTracking(settings: Settings, { expiryGrace }: Partial<SelfExpiring>, log: Logger): void {
  const margin = flushMargin(settings)
  for (const { name, idleTimeout } of settings.credentials) {
    if (idleTimeout === null || idleTimeout > margin) continue
    log.warn(
      { credential: name, idleTimeout, margin },
      'idleTimeout is within 2 × flushInterval + flushTimeout + storeTimeout, so every request writes to the store; shorten flushInterval',
    )
  }
  if (expiryGrace === undefined || expiryGrace >= margin) return
  log.warn(
    { expiryGrace, margin },
    'the store forgets sessions sooner after their deadline than a flush may come; raise its grace to 2 × flushInterval + flushTimeout + storeTimeout',
  )
}
