// @ts-check

/**
 * @param {import('fastify').FastifyReply} reply
 * @param {import('./html.js').Html} page
 */
export function sendPage(reply, page) {
  return reply.type('text/html; charset=utf-8').send(page.toString())
}
