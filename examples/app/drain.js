// @ts-check

/**
 * Lets a shutdown wait for the requests that are being answered, and not for their connections: a client would keep
 * those open for the next request, for 72 seconds by Fastify's default.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export function drainOnClose(app) {
  let closing = false
  app.addHook('preClose', async () => {
    closing = true
  })
  app.addHook('onSend', async (_request, reply) => {
    if (closing) reply.header('connection', 'close')
  })
}
