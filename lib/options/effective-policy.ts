import type { EffectivePolicy } from '../../types/policy.js'
import { isAmbient } from '../core/verified-by.js'
import type { Settings } from './options.js'

/** Every option in force, as plain data. `sweepInterval` is asked for anew, since the store may be known later. */
export function effectivePolicy(settings: Settings, sweepInterval: () => number | null): EffectivePolicy {
  const { notBefore, maxAge } = settings
  return Object.freeze({
    credentials: settings.credentials.map((credential) => ({
      name: credential.name,
      header: credential.header,
      ambient: isAmbient(credential),
      idleTimeout: credential.idleTimeout,
      absoluteTimeout: credential.absoluteTimeout,
    })),
    activityTracking: trackingPolicy(settings.activityTracking),
    refreshInterval: settings.refreshInterval,
    storeTimeout: settings.storeTimeout,
    maxPendingStoreCalls: settings.maxPendingStoreCalls,
    get sweepInterval() {
      return sweepInterval()
    },
    crossOriginProtection: !settings.dangerouslyAllowCrossOriginRequests,
    trustedOrigins: settings.trustedOrigins,
    maxSessionsPerUser: settings.maxSessionsPerUser,
    notBefore: Number.isFinite(notBefore) ? new Date(notBefore).toISOString() : null,
    maxAge: Number.isFinite(maxAge) ? maxAge : null,
    clearSiteData: settings.clearSiteData,
    bindSessionToLog: settings.bindSessionToLog,
    requireByDefault: settings.requireByDefault,
  })
}

function trackingPolicy(tracking: Settings['activityTracking']): EffectivePolicy['activityTracking'] {
  if (tracking === null) return null
  const { flushInterval, flushTimeout, maxBatchSize, maxPending } = tracking
  return { flushInterval, flushTimeout, maxBatchSize, maxPending }
}
