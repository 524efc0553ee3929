// @ts-check
import { flash } from '../../recipes/flash.js'
import { parseName } from '../names.js'
import { confirmAllPage, confirmOthersPage } from '../views/confirm-sign-out.js'
import { notFoundPage } from '../views/notices.js'
import { sendPage } from '../views/send-page.js'

const required = { config: { session: { required: true } } }

/**
 * What the buttons of the account page do. Every change is a POST from a form, answered with a redirect; gosesh refuses
 * those that a page of another origin sends. What ends many sessions at once asks first.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles }} options
 */
export async function sessionRoutes(app, { profiles }) {
  app.post(
    '/sessions/:id/sign-out',
    required,
    /** @param {import('fastify').FastifyRequest<{ Params: { id: string } }>} request */
    async (request, reply) => {
      const { id, userId } = request.requireSession()
      if (request.params.id === id) {
        await reply.signOut()
        return reply.redirect('/signed-out', 303)
      }
      // Whether it was there does not matter to somebody who wants it gone.
      await app.gosesh.deleteSession(request.params.id, { userId })
      await flash(request, 'That device is signed out.')
      return reply.redirect('/account', 303)
    },
  )

  app.post(
    '/sessions/:id/name',
    required,
    /** @param {import('fastify').FastifyRequest<{ Params: { id: string } }>} request */
    async (request, reply) => {
      const { userId } = request.requireSession()
      const named = await app.gosesh.getSession(request.params.id)
      if (named?.userId !== userId) return sendPage(reply.code(404), notFoundPage(profiles.get(userId)))
      const { name: typed } = /** @type {{ name?: unknown }} */ (request.body ?? {})
      const { name, problem } = parseName(typed)
      if (problem !== null) {
        await flash(request, `The name is not saved. ${problem}`)
        return reply.redirect('/account', 303)
      }
      await app.gosesh.updateMetadata(named.id, { deviceName: name === '' ? null : name })
      const unnamed = 'The device has no name of yours any more.'
      await flash(request, name === '' ? unnamed : 'The name of the device is saved.')
      return reply.redirect('/account', 303)
    },
  )

  for (const [url, page] of /** @type {const} */ ([
    ['/sign-out-others', confirmOthersPage],
    ['/sign-out-everywhere', confirmAllPage],
  ])) {
    app.get(url, { onRequest: app.redirectToSignIn() }, async (request, reply) => {
      const { userId } = request.requireSession()
      const { length: count } = await app.gosesh.listUserSessions(userId)
      return sendPage(reply, page({ user: profiles.get(userId), count }))
    })
  }

  app.post('/sign-out-others', required, async (request, reply) => {
    const { id, userId } = request.requireSession()
    await app.gosesh.deleteUserSessions(userId, { except: id })
    await flash(request, 'All other devices are signed out.')
    return reply.redirect('/account', 303)
  })

  app.post('/sign-out-everywhere', required, async (_request, reply) => {
    await reply.signOut({ everywhere: true })
    return reply.redirect('/signed-out', 303)
  })
}
