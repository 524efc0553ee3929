// @ts-check
import { timingSafeEqual } from 'node:crypto'
import formbody from '@fastify/formbody'
import { sendPage } from '../views/send-page.js'
import { findAccount, findAccountByEmail, password } from './accounts.js'
import { choicePage, passwordPage, problemPage } from './pages.js'

/** @typedef {Awaited<ReturnType<import('oidc-provider').default['interactionDetails']>>} Interaction */

const known = Buffer.from(password)

/** @param {unknown} typed */
function isPassword(typed) {
  const given = Buffer.from(typeof typed === 'string' ? typed : '')
  return given.length === known.length && timingSafeEqual(given, known)
}

/**
 * Who is asked for the password alone: the account that the application expects, or, if it wants a sign-in that is recent,
 * the one that is signed in here.
 *
 * @param {Interaction} interaction
 */
function expectedAccount({ params, session }) {
  const { login_hint: hint, max_age: maxAge } = params
  if (hint !== undefined) return findAccountByEmail(hint)
  return maxAge === undefined || session === undefined ? undefined : findAccount(session.accountId)
}

/**
 * Another account takes the place of the one that is signed in here, whose sessions at applications go on. oidc-provider by
 * itself would end them.
 *
 * @param {import('oidc-provider').default} provider
 * @param {Interaction} interaction
 */
async function forgetSession(provider, interaction) {
  const { session, exp } = interaction
  if (session === undefined) return
  await (await provider.Session.findByUid(session.uid))?.destroy()
  delete interaction.session
  await interaction.save(exp - Math.floor(Date.now() / 1_000))
}

/**
 * The pages on which the user chooses an account and types its password. Whatever the application asks for
 * (`prompt=login`, `max_age`), nobody comes by here without the password.
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

  /**
   * @param {import('fastify').FastifyRequest} request
   * @param {import('fastify').FastifyReply} reply
   * @param {string | null} problem
   */
  async function ask({ raw, url, query }, reply, problem) {
    const interaction = await provider.interactionDetails(raw, reply.raw)
    const client = await provider.Client.find(String(interaction.params.client_id))
    const state = { action: url, client: client?.clientName ?? 'an application', problem }
    const { other } = /** @type {{ other?: unknown }} */ (query)
    const account = other === undefined ? expectedAccount(interaction) : undefined
    return sendPage(reply, account === undefined ? choicePage(state) : passwordPage({ ...state, account }))
  }

  app.get('/sign-in/:uid', (request, reply) => ask(request, reply, null))

  app.post('/sign-in/:uid', async (request, reply) => {
    const { account: chosen, password: typed } = /** @type {Record<string, unknown>} */ (request.body ?? {})
    const account = findAccount(String(chosen))
    if (account !== undefined && !isPassword(typed)) {
      return await ask(request, reply.code(400), 'That is not the password.')
    }
    const interaction = await provider.interactionDetails(request.raw, reply.raw)
    if (account !== undefined && account.id !== interaction.session?.accountId) {
      await forgetSession(provider, interaction)
    }
    const result =
      account === undefined
        ? { error: 'access_denied', error_description: 'Nobody was chosen' }
        : { login: { accountId: account.id, ts: Math.floor(clock.now() / 1_000), amr: ['pwd'] } }
    return reply.redirect(await provider.interactionResult(request.raw, reply.raw, result), 303)
  })
}
