// @ts-check
import { redirectToSignIn } from 'gosesh'
import { viewerOf } from '../viewer.js'
import { confirmPage } from '../views/confirm.js'
import { errorPage, notFoundPage, signInErrorPage, unboundPage } from '../views/notices.js'
import { sendPage } from '../views/send-page.js'

const toSignIn = redirectToSignIn('/')

/** What a page is for whose route wants a recent sign-in, by its address. */
const purposes = new Map([
  ['/profile', 'Changing your name'],
  ['/security', 'Turning the second factor off'],
  ['/security/set-up', 'Setting up a second factor'],
])

/** @param {import('fastify').FastifyRequest} request */
function isApi({ url }) {
  return url.startsWith('/api/') || url.startsWith('/socket')
}

/**
 * Errors of pages are pages; those of the API stay JSON. A page that needs a session leads to signing in, and one that
 * wants more of the session than it has leads to what makes up for it, and back: each has its form at its own address. An
 * outage of the store does not: the visitor is still signed in, and is told to try again.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, provider: { label: string }, recentSignIn: number, clock: import('gosesh').Clock }} options
 */
export function handleErrors(app, { profiles, provider, recentSignIn, clock }) {
  app.setErrorHandler(
    /** @param {import('fastify').FastifyError} error */
    (error, request, reply) => {
      if (isApi(request)) return reply.send(error)
      const { code, statusCode = 500 } = error
      const next = new URLSearchParams({ next: request.originalUrl })
      // A browser that has lost its key signs in again.
      const isSignedOut = code === 'GOSESH_ERR_DEVICE_PROOF' && statusCode === 401 && request.session === null
      if (code === 'GOSESH_ERR_UNAUTHENTICATED' || isSignedOut) {
        if (request.method === 'GET') return toSignIn(request, reply)
        return reply.redirect('/signed-out?ended', 303)
      }
      if (code === 'GOSESH_ERR_FACTOR_MISSING') return reply.redirect(`/security/code?${next}`, 303)
      if (code === 'GOSESH_ERR_SIGN_IN_NOT_RECENT') {
        const { userId, authenticatedAt } = request.requireSession()
        const page = confirmPage({
          user: profiles.get(userId),
          purpose: purposes.get(request.routeOptions.url ?? '') ?? 'This page',
          confirmUrl: `/confirm?${next}`,
          providerLabel: provider.label,
          authenticatedAt,
          recentSignIn,
          now: new Date(clock.now()),
        })
        return sendPage(reply.code(statusCode), page)
      }
      if (statusCode >= 500) request.log.error({ err: error }, 'a page failed')
      const user = viewerOf(profiles, request)
      if (code === 'GOSESH_ERR_DEVICE_PROOF' && statusCode === 401)
        return sendPage(reply.code(401), unboundPage(user))
      if (code?.startsWith('GOSESH_ERR_OAUTH_')) {
        const failure = /** @type {import('gosesh').GoseshError} */ (/** @type {unknown} */ (error))
        return sendPage(reply.code(statusCode), signInErrorPage(failure, { user, returnTo: '/account' }))
      }
      return sendPage(reply.code(statusCode), errorPage(statusCode, user))
    },
  )
  app.setNotFoundHandler((request, reply) => {
    if (isApi(request)) {
      return reply.code(404).send({ statusCode: 404, error: 'Not Found', message: 'No such route' })
    }
    return sendPage(reply.code(404), notFoundPage(viewerOf(profiles, request)))
  })
}
