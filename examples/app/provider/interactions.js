// @ts-check
import formbody from '@fastify/formbody'
import { sendPage } from '../views/send-page.js'
import { findAccount } from './accounts.js'
import { choicePage, problemPage } from './pages.js'

/**
 * What somebody chose, as oidc-provider takes it.
 *
 * @param {unknown} chosen
 * @param {number} now
 */
function resultOf(chosen, now) {
  const account = findAccount(String(chosen))
  return account === undefined
    ? { error: 'access_denied', error_description: 'Nobody was chosen' }
    : { login: { accountId: account.id, ts: Math.floor(now / 1_000) } }
}

/**
 * The page on which the user chooses an account.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ provider: import('oidc-provider').default, clock: { now(): number } }} options
 */
export async function interactionRoutes(app, { provider, clock }) {
  app.register(formbody)
  app.setErrorHandler((error, _request, reply) => {
    const { message, statusCode = 400 } = /** @type {import('fastify').FastifyError} */ (error)
    return sendPage(reply.code(statusCode), problemPage(message))
  })

  app.get('/sign-in/:uid', async (request, reply) => {
    const { params } = await provider.interactionDetails(request.raw, reply.raw)
    const client = await provider.Client.find(String(params.client_id))
    return sendPage(
      reply,
      choicePage({ action: request.url, client: client?.clientName ?? 'an application' }),
    )
  })

  app.post('/sign-in/:uid', async (request, reply) => {
    const { account } = /** @type {{ account?: unknown }} */ (request.body ?? {})
    const url = await provider.interactionResult(request.raw, reply.raw, resultOf(account, clock.now()))
    return reply.redirect(url, 303)
  })
}
