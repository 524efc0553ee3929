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
 *   the code, if this process heard of the end; at most 123 bytes.
 */
export async function sockets(app, { recheckInterval, closeReason = ({ reason }) => reason }) {
  /** @type {Map<import('@fastify/websocket').WebSocket, import('gosesh').Session>} */
  const open = new Map()

  // What this process ends is heard of at once, and with the option `sessionCache` what others end, too. `null` stands for any.
  const stopListening = app.gosesh.onSessionEnd((end) => {
    const { reason, sessionId, userId, except } = end
    // Any session may have ended, and most have not.
    if (reason === 'unknown') return void lookAgain(open)
    for (const [socket, session] of open) {
      const { id, userId: owner } = session
      const hasEnded = (sessionId ?? id) === id && (userId ?? owner) === owner && except !== id
      if (hasEnded) socket.close(sessionEnded, closeReason(end, session))
    }
  })

  // One that was confirmed anew has a new token: whoever connected with the old one has to show the new one.
  /** @param {Iterable<[import('@fastify/websocket').WebSocket, import('gosesh').Session]>} sockets */
  const look = async (sockets) => {
    for (const [socket, { id, authenticatedAt }] of sockets) {
      const session = await app.gosesh.getSession(id)
      if (session === null || session.authenticatedAt > authenticatedAt) socket.close(sessionEnded)
    }
  }
  /** @param {Parameters<typeof look>[0]} sockets */
  const lookAgain = (sockets) =>
    look(sockets).catch((error) => app.log.warn({ err: error }, 'sessions of sockets not looked at'))

  // A session may also end by its deadline while nothing is sent, and without `sessionCache` on another node: look now and then.
  const standard = app.gosesh.policy.sessionCache === null ? 10_000 : 60_000
  const timer = setInterval(() => void lookAgain(open), recheckInterval ?? standard)

  app.addHook('onClose', async () => {
    clearInterval(timer)
    stopListening()
  })

  // A page that is left open connects again by itself, which is not to keep its session alive.
  const config = { session: { required: true, activity: false } }
  app.get('/socket', { websocket: true, config }, (socket, request) => {
    const session = request.requireSession()
    open.set(socket, session)
    // It may have ended since it was verified, before there was a socket to close.
    void lookAgain([[socket, session]])
    socket.on('close', () => open.delete(socket))
    socket.on('message', (data) => {
      // What is sent keeps the session alive by being recorded.
      app.gosesh.activityTracker?.recordActivity(session.id, new Date())
      socket.send(`${session.userId}: ${data}`)
    })
  })
}
