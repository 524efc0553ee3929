// @ts-check
import { describeDevice } from './devices.js'

/** @typedef {ReturnType<typeof viewSession>} SessionView */

/**
 * The methods of the last confirmation, by their names in RFC 8176.
 *
 * @param {import('gosesh').Session} session
 */
function confirmedBy({ factors, authenticatedAt }) {
  return factors.filter(({ at }) => at.getTime() === authenticatedAt.getTime()).map(({ method }) => method)
}

/**
 * A session as the API and the pages show it. The id signs nobody in, so it is safe to show.
 *
 * @param {import('gosesh').Session} session
 * @param {import('gosesh').Session} current The session of the request.
 */
export function viewSession(session, current) {
  const { name, model, kind } = describeDevice(session)
  return {
    id: session.id,
    current: session.id === current.id,
    device: { name, kind },
    createdAt: session.createdAt,
    lastActivityAt: session.lastActivityAt,
    authenticatedAt: session.authenticatedAt,
    confirmedBy: confirmedBy(session),
    deviceBound: session.deviceBound,
    /** What the device is called if its user has given it no name. */
    model,
    idleDeadline: session.idleDeadline,
    absoluteDeadline: session.absoluteDeadline,
  }
}
