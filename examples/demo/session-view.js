// @ts-check

/** @typedef {import('gosesh').Session} Session */
/** @typedef {ReturnType<typeof viewSession>} SessionView */

/**
 * A session as the API and the pages show it. The id is a hash of the token, so it is safe to show.
 *
 * @param {Session} session
 * @param {Session} current The session of the request.
 */
export function viewSession(session, current) {
  return {
    id: session.id,
    current: session.id === current.id,
    client: session.metadata?.client ?? 'unknown',
    createdAt: session.createdAt,
    lastActivityAt: session.lastActivityAt,
    idleDeadline: session.idleDeadline,
    absoluteDeadline: session.absoluteDeadline,
  }
}

/**
 * How much activity came in, and how few writes it took.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export function viewActivity(app) {
  const tracker = app.gosesh.activityTracker
  return {
    recorded: tracker?.stats.recorded ?? 0,
    pending: tracker?.pendingCount ?? 0,
    flushed: tracker?.stats.flushed ?? 0,
  }
}

/** @typedef {ReturnType<typeof viewActivity>} ActivityView */
