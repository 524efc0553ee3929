// @ts-check
import { cliCommand } from '../guide.js'
import { viewSession } from '../session-view.js'
import { accountPage } from '../views/account.js'
import { homePage } from '../views/home.js'
import { signedOutPage } from '../views/notices.js'
import { sendPage } from '../views/send-page.js'

/** What the redirects to the account page say; anything else in an address is not shown. */
const notices = new Map([
  ['one', 'That device is signed out.'],
  ['others', 'All other devices are signed out.'],
  ['factor-off', 'Your second factor is off.'],
  ['name', 'Your name is saved.'],
  ['named', 'The name of the device is saved.'],
  ['unnamed', 'The device has no name of yours any more.'],
  ['not-named', 'That name is too long, or it has characters that cannot be shown. Nothing is saved.'],
])

/**
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, provider: { name: string, label: string }, origin: string, clock: import('gosesh').Clock }} options
 */
export async function pageRoutes(app, { profiles, provider, origin, clock }) {
  app.get('/', async (request, reply) => {
    if (request.session !== null) return reply.redirect('/account', 303)
    const { next } = /** @type {{ next?: unknown }} */ (request.query)
    // gosesh/oauth judges where it may lead.
    const query = typeof next === 'string' ? `?${new URLSearchParams({ next })}` : ''
    const signIn = { url: `/auth/${provider.name}${query}`, label: provider.label }
    return sendPage(reply, homePage({ signIn, goesOn: query !== '' }))
  })

  app.get('/signed-out', async (request, reply) => {
    if (request.session !== null) return reply.redirect('/account', 303)
    const { ended } = /** @type {{ ended?: unknown }} */ (request.query)
    return sendPage(reply, signedOutPage({ signInUrl: `/auth/${provider.name}`, ended: ended !== undefined }))
  })

  app.get('/account', { onRequest: app.redirectToSignIn() }, async (request, reply) => {
    const current = request.requireSession()
    const sessions = await app.gosesh.listUserSessions(current.userId)
    const { done } = /** @type {{ done?: unknown }} */ (request.query)
    const page = accountPage({
      user: profiles.get(current.userId),
      sessions: sessions.map((session) => viewSession(session, current)),
      notice: notices.get(String(done)) ?? null,
      cliCommand: cliCommand(origin, 'sign-in'),
      now: new Date(clock.now()),
    })
    return sendPage(reply, page)
  })
}
