// @ts-check
import { describeDevice } from './devices.js'

/** @typedef {ReturnType<typeof viewSession>} SessionView */

/**
 * A session as the API and the pages show it. The id is a hash of the token, so it is safe to show.
 *
 * @param {import('gosesh').Session} session
 * @param {import('gosesh').Session} current The session of the request.
 */
export function viewSession(session, current) {
  return {
    id: session.id,
    current: session.id === current.id,
    device: describeDevice(session),
    createdAt: session.createdAt,
    lastActivityAt: session.lastActivityAt,
    idleDeadline: session.idleDeadline,
    absoluteDeadline: session.absoluteDeadline,
  }
}
