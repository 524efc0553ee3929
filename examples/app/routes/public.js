// @ts-check
import { serveFile } from '../static-file.js'

const types = {
  'style.css': 'text/css; charset=utf-8',
  'live.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
}

const anonymous = { session: /** @type {const} */ (false) }

/**
 * What needs no session, and so does no session work: the health check and the files of `public/`.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export async function publicRoutes(app) {
  app.get('/health', { config: anonymous }, async () => ({ status: 'ok' }))

  for (const [name, type] of Object.entries(types)) {
    const file = new URL(`../public/${name}`, import.meta.url)
    await serveFile(app, `/public/${name}`, { file, type, config: anonymous })
  }
}
