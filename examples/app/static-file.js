// @ts-check
import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

/**
 * Serves a file, read once. A browser that has it asks whether it is still the same, by its hash.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {string} url
 * @param {{ file: URL, type: string, config?: import('fastify').FastifyContextConfig }} source
 */
export async function serveFile(app, url, { file, type, config = {} }) {
  const content = await readFile(file)
  const etag = `"${hash('sha256', content, 'base64url')}"`
  app.get(url, { config }, async (request, reply) => {
    reply.headers({ etag, 'cache-control': 'no-cache' })
    // A proxy that compresses may have made the validator a weak one (RFC 9110, section 13.1.2).
    const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''))
    if (known?.includes(etag)) return reply.code(304).send()
    return reply.type(type).send(content)
  })
}
