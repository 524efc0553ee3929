// @ts-check
/// <reference types="@fastify/websocket" />

/** The close code for a session that has ended, of those that applications may choose (RFC 6455, section 7.4.2). */
const sessionEnded = 4401

/** @typedef {(end: import('gosesh').SessionEnd, session: import('gosesh').Session) => string} CloseReason */

/**
 * A WebSocket that closes when its session ends. Register @fastify/websocket before gosesh: it closes the connection of
 * an upgrade that was refused only where its hook ran before the one that refused.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ recheckInterval?: number, closeReason?: CloseReason }} options `closeReason`: what the client is told with
 *   the code, if this process saw the end; at most 123 bytes.
 */
export async function sockets(app, { recheckInterval = 10_000, closeReason = ({ reason }) => reason }) {
  /** @type {Map<import('@fastify/websocket').WebSocket, import('gosesh').Session>} */
  const open = new Map()

  // What this process ends is heard of at once. `null` stands for any.
  const stopListening = app.gosesh.onSessionEnd((end) => {
    const { sessionId, userId, except } = end
    for (const [socket, session] of open) {
      const { id, userId: owner } = session
      const hasEnded = (sessionId ?? id) === id && (userId ?? owner) === owner && except !== id
      if (hasEnded) socket.close(sessionEnded, closeReason(end, session))
    }
  })

  // A session may also end on another node, or by its deadline while nothing is sent: look again now and then. One that was
  // confirmed anew has a new token: whoever connected with the old one has to show the new one.
  const recheck = async () => {
    for (const [socket, { id, authenticatedAt }] of open) {
      const session = await app.gosesh.getSession(id)
      if (session === null || session.authenticatedAt > authenticatedAt) socket.close(sessionEnded)
    }
  }
  const timer = setInterval(() => {
    recheck().catch((error) => app.log.warn({ err: error }, 'sessions of sockets not looked at'))
  }, recheckInterval)

  app.addHook('onClose', async () => {
    clearInterval(timer)
    stopListening()
  })

  // A page that is left open connects again by itself, which is not to keep its session alive.
  const config = { session: { required: true, activity: false } }
  app.get('/socket', { websocket: true, config }, (socket, request) => {
    const session = request.requireSession()
    open.set(socket, session)
    socket.on('close', () => open.delete(socket))
    socket.on('message', (data) => {
      // What is sent keeps the session alive by being recorded.
      app.gosesh.activityTracker?.recordActivity(session.id, new Date())
      socket.send(`${session.userId}: ${data}`)
    })
  })
}
