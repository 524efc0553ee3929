// @ts-check
import { messagesOf } from '../../recipes/flash.js'
import { cliCommand } from '../guide.js'
import { viewSession } from '../session-view.js'
import { accountPage } from '../views/account.js'
import { homePage } from '../views/home.js'
import { signedOutPage } from '../views/notices.js'
import { sendPage } from '../views/send-page.js'

/**
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, notes: import('../notes.js').Notes, provider: { name: string, label: string }, origin: string, clock: import('gosesh').Clock }} options
 */
export async function pageRoutes(app, { profiles, notes, provider, origin, clock }) {
  app.get('/', async (request, reply) => {
    if (request.session !== null) return reply.redirect('/account', 303)
    const { next } = /** @type {{ next?: unknown }} */ (request.query)
    // gosesh/oauth judges where it may lead.
    const query = typeof next === 'string' ? `?${new URLSearchParams({ next })}` : ''
    const signIn = { url: `/auth/${provider.name}${query}`, label: provider.label }
    const messages = await messagesOf(request)
    return sendPage(reply, homePage({ signIn, goesOn: query !== '', messages }))
  })

  app.get('/signed-out', async (request, reply) => {
    if (request.session !== null) return reply.redirect('/account', 303)
    const { ended } = /** @type {{ ended?: unknown }} */ (request.query)
    return sendPage(reply, signedOutPage({ signInUrl: `/auth/${provider.name}`, ended: ended !== undefined }))
  })

  app.get('/account', { onRequest: app.redirectToSignIn() }, async (request, reply) => {
    const current = request.requireSession()
    const sessions = await app.gosesh.listUserSessions(current.userId)
    const page = accountPage({
      user: profiles.get(current.userId),
      sessions: sessions.map((session) => viewSession(session, current)),
      messages: await messagesOf(request),
      note: notes.get(current.userId),
      cliCommand: cliCommand(origin, 'sign-in'),
      canExport: app.gosesh.policy.deviceBinding !== null,
      now: new Date(clock.now()),
    })
    return sendPage(reply, page)
  })
}
