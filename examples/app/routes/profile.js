// @ts-check
import { flash } from '../../recipes/flash.js'
import { maxNameLength, parseName } from '../names.js'
import { profilePage } from '../views/profile.js'
import { sendPage } from '../views/send-page.js'

/**
 * A change that wants a recent sign-in: whoever finds a browser signed in is asked who they are first (`errors.js`).
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, recentSignIn: number }} options
 */
export async function profileRoutes(app, { profiles, recentSignIn }) {
  const recent = { config: { session: { signedInWithin: recentSignIn } } }

  app.get('/profile', recent, async (request, reply) => {
    const user = profiles.get(request.requireSession().userId)
    return sendPage(reply, profilePage({ user, typed: user.name, problem: null, maxLength: maxNameLength }))
  })

  app.post('/profile', recent, async (request, reply) => {
    const { userId } = request.requireSession()
    const { name: typed } = /** @type {{ name?: unknown }} */ (request.body ?? {})
    const parsed = parseName(typed)
    const { name } = parsed
    const problem = name === '' ? (parsed.problem ?? 'Type a name.') : parsed.problem
    if (problem !== null) {
      const page = profilePage({
        user: profiles.get(userId),
        typed: name,
        problem,
        maxLength: maxNameLength,
      })
      return sendPage(reply.code(400), page)
    }
    profiles.rename(userId, name)
    await flash(request, 'Your name is saved.')
    return reply.redirect('/account', 303)
  })
}
