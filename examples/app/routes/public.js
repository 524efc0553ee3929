// @ts-check
import { readFile } from 'node:fs/promises'

const types = {
  'style.css': 'text/css; charset=utf-8',
  'live.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
}

const anonymous = { config: { session: /** @type {const} */ (false) } }

/**
 * What needs no session, and so does no session work: the health check and the files of `public/`.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export async function publicRoutes(app) {
  app.get('/health', anonymous, async () => ({ status: 'ok' }))

  for (const [name, type] of Object.entries(types)) {
    const content = await readFile(new URL(`../public/${name}`, import.meta.url))
    app.get(`/public/${name}`, anonymous, async (_request, reply) =>
      reply.type(type).header('cache-control', 'no-cache').send(content),
    )
  }
}
