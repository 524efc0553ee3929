// @ts-check
import { createHash } from 'node:crypto'
import auth from '@fastify/auth'

const fiveMinutes = 5 * 60_000

/** @param {string} key */
const digest = (key) => createHash('sha256').update(key).digest('base64url')

/**
 * Routes for whoever is signed in or has an API key, and one for administrators who signed in a moment ago. Register it
 * after gosesh: `app.requireSession` exists once that has loaded.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ apiKeyDigests: ReadonlySet<string>, isAdministrator: (userId: string) => Promise<boolean> }} options
 */
export async function reports(app, { apiKeyDigests, isAdministrator }) {
  await app.register(auth)

  /** @param {import('fastify').FastifyRequest} request */
  const requireApiKey = async ({ headers }) => {
    if (apiKeyDigests.has(digest(String(headers['x-api-key'])))) return
    throw Object.assign(new Error('Sign in, or send an API key'), { statusCode: 401 })
  }

  /** @type {(request: import('fastify').FastifyRequest, reply: import('fastify').FastifyReply) => Promise<void>} */
  const requireAdministrator = async (request, reply) => {
    if (await isAdministrator(request.requireSession().userId)) return
    // @fastify/auth answers 401 unless the reply has another status already.
    reply.code(403)
    throw Object.assign(new Error('Only administrators may do this'), { statusCode: 403 })
  }

  const sessionOrKey = app.auth([app.requireSession, requireApiKey])
  const recentAdministrator = app.auth([app.requireRecentSignIn(fiveMinutes), requireAdministrator], {
    relation: 'and',
  })

  app.get('/reports', { onRequest: sessionOrKey }, async (request) => {
    return { reader: request.session?.userId ?? 'a program' }
  })
  app.delete('/reports', { onRequest: recentAdministrator }, async (request) => {
    return { deletedBy: request.requireSession().userId }
  })
}
