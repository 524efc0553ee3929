// @ts-check
import { confirmPage } from '../views/confirm.js'
import { profilePage } from '../views/profile.js'
import { sendPage } from '../views/send-page.js'

const maxLength = 50

/**
 * A name to show, or what is wrong with it.
 *
 * @param {unknown} typed
 * @returns {{ name: string, problem: string | null }}
 */
function checkName(typed) {
  const name = typeof typed === 'string' ? typed.normalize('NFC').trim().replace(/\s+/gu, ' ') : ''
  if (name === '') return { name, problem: 'Type a name.' }
  if (/\p{Cc}/u.test(name)) return { name: '', problem: 'That name has characters that cannot be shown.' }
  return { name, problem: name.length > maxLength ? `At most ${maxLength} characters.` : null }
}

/**
 * A change that wants a recent sign-in: whoever finds a browser signed in is asked who they are first.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, provider: { name: string }, recentSignIn: number, clock: import('gosesh').Clock }} options
 */
export async function profileRoutes(app, { profiles, provider, recentSignIn, clock }) {
  app.addHook('onRequest', app.redirectToSignIn())
  app.addHook('onRequest', app.requireRecentSignIn(recentSignIn))

  const handleOther = app.errorHandler
  app.setErrorHandler((error, request, reply) => {
    const { code } = /** @type {import('fastify').FastifyError} */ (error)
    if (code !== 'GOSESH_ERR_SIGN_IN_NOT_RECENT') return handleOther.call(app, error, request, reply)
    const { userId, createdAt } = request.requireSession()
    const page = confirmPage({
      user: profiles.get(userId),
      signInUrl: `/auth/${provider.name}?${new URLSearchParams({ next: '/profile' })}`,
      signedInAt: createdAt,
      recentSignIn,
      now: new Date(clock.now()),
    })
    return sendPage(reply.code(403), page)
  })

  app.get('/profile', async (request, reply) => {
    const user = profiles.get(request.requireSession().userId)
    return sendPage(reply, profilePage({ user, typed: user.name, problem: null, maxLength }))
  })

  app.post('/profile', async (request, reply) => {
    const { userId } = request.requireSession()
    const { name: typed } = /** @type {{ name?: unknown }} */ (request.body ?? {})
    const { name, problem } = checkName(typed)
    if (problem !== null) {
      const page = profilePage({ user: profiles.get(userId), typed: name, problem, maxLength })
      return sendPage(reply.code(400), page)
    }
    profiles.rename(userId, name)
    return reply.redirect('/account?done=name', 303)
  })
}
