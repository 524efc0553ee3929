import type { SessionLifetime } from '../../types/session.js'

const minute = 60_000
const hour = 60 * minute

/**
 * Session lifetimes, in milliseconds, that meet the authenticator assurance levels of NIST SP 800-63B-4 (sections
 * 2.1.3, 2.2.3 and 2.3.3), to give to a credential: `cookieCredential(nistLifetimes.AAL2)`. AAL1: 30 days, no idle limit.
 * AAL2: 24 hours, 1 hour idle. AAL3: 12 hours, 15 minutes idle.
 */
export const nistLifetimes: Readonly<Record<'AAL1' | 'AAL2' | 'AAL3', SessionLifetime>> = Object.freeze({
  AAL1: Object.freeze({ idleTimeout: null, absoluteTimeout: 30 * 24 * hour }),
  AAL2: Object.freeze({ idleTimeout: hour, absoluteTimeout: 24 * hour }),
  AAL3: Object.freeze({ idleTimeout: 15 * minute, absoluteTimeout: 12 * hour }),
})
