import { channel } from 'node:diagnostics_channel'

/**
 * The channels of `node:diagnostics_channel` that gosesh publishes to. Nothing is built for a channel without a
 * subscriber.
 */
export const channels = {
  verify: channel('gosesh:verify'),
  signIn: channel('gosesh:sign-in'),
  signOut: channel('gosesh:sign-out'),
  sessionEnd: channel('gosesh:session-end'),
  crossOrigin: channel('gosesh:cross-origin'),
  flush: channel('gosesh:flush'),
  sweep: channel('gosesh:sweep'),
}
