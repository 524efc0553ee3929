import { channel } from 'node:diagnostics_channel'
import type { EventError } from '../../types/events.js'

/**
 * The channels of `node:diagnostics_channel` that gosesh publishes to. Nothing is built for a channel without a
 * subscriber.
 */
export const channels = {
  verify: channel('gosesh:verify'),
  signIn: channel('gosesh:sign-in'),
  signOut: channel('gosesh:sign-out'),
  reauthenticate: channel('gosesh:reauthenticate'),
  updateMetadata: channel('gosesh:update-metadata'),
  sessionEnd: channel('gosesh:session-end'),
  crossOrigin: channel('gosesh:cross-origin'),
  deviceRegistration: channel('gosesh:device-registration'),
  deviceRefresh: channel('gosesh:device-refresh'),
  deviceRefusal: channel('gosesh:device-refusal'),
  flush: channel('gosesh:flush'),
  sweep: channel('gosesh:sweep'),
}

/** What was thrown as the `error` of a message. */
export function eventError(thrown: unknown): EventError {
  return thrown instanceof Error
    ? thrown
    : new Error('something that is no Error was thrown', { cause: thrown })
}
