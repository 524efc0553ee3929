// @ts-check

/**
 * Keeps a message for the next page that this browser asks for. Requests at once all keep theirs, and of messages that no
 * page has shown the last ten stay.
 *
 * @param {import('fastify').FastifyRequest} request
 * @param {string} message
 */
export async function flash({ sessionData }, message) {
  await sessionData.update('flash', (/** @type {any} */ waiting = []) => [...waiting, message].slice(-10))
}

/**
 * The messages for the page that answers this request. Each is for one page.
 *
 * @param {import('fastify').FastifyRequest} request
 */
export async function messagesOf({ method, sessionData }) {
  // Nobody would see them.
  if (method === 'HEAD') return []
  return /** @type {string[]} */ ((await sessionData.take('flash')) ?? [])
}
