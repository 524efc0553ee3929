// @ts-check
import { returnTo } from 'gosesh'
import { flash } from '../../recipes/flash.js'
import { accountName } from '../profiles.js'
import { totpUri } from '../totp.js'
import { codePage, securityPage, setUpPage } from '../views/second-factor.js'
import { sendPage } from '../views/send-page.js'

const problems = {
  wrong: 'That is not the code of now, or it was used already. Type the next one.',
  tooMany: 'Too many wrong codes. Wait a minute, and type the code of then.',
}

/** @param {import('fastify').FastifyRequest} request */
function fieldsOf({ body }) {
  return /** @type {Record<string, unknown>} */ (body ?? {})
}

/**
 * The second factor: `/security` is the page that demands it. A session without it is led to `/security/code`
 * (`errors.js`), and a user who has none from there to `/security/set-up`.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, secondFactors: import('../second-factors.js').SecondFactors, recentSignIn: number, clock: import('gosesh').Clock }} options
 */
export async function secondFactorRoutes(app, { profiles, secondFactors, recentSignIn, clock }) {
  const recent = { config: { session: { signedInWithin: recentSignIn } } }
  const required = { config: { session: { required: true } } }

  app.get('/security', { config: { session: { factors: ['otp'] } } }, async (request, reply) => {
    const { userId } = request.requireSession()
    const enabledAt = secondFactors.enabledAt(userId)
    // It was turned off by another session of the user.
    if (enabledAt === null) return reply.redirect('/security/set-up', 303)
    return sendPage(reply, securityPage({ user: profiles.get(userId), enabledAt }))
  })

  const strict = { config: { session: { factors: ['otp'], signedInWithin: recentSignIn } } }
  app.post('/security', strict, async (request, reply) => {
    secondFactors.remove(request.requireSession().userId)
    await flash(request, 'Your second factor is off.')
    return reply.redirect('/account', 303)
  })

  app.get('/security/set-up', recent, async (request, reply) => {
    const { userId } = request.requireSession()
    const secret = secondFactors.pendingSecret(userId, clock.now())
    if (secret === null) return reply.redirect('/security', 303)
    const user = profiles.get(userId)
    return sendPage(
      reply,
      setUpPage({ user, secret, uri: totpUri(secret, accountName(user)), problem: null }),
    )
  })

  app.post('/security/set-up', recent, async (request, reply) => {
    const { userId } = request.requireSession()
    const now = clock.now()
    const secret = secondFactors.pendingSecret(userId, now)
    if (secret === null) return reply.redirect('/security', 303)
    if (!secondFactors.enable(userId, secret, fieldsOf(request).code, now)) {
      const user = profiles.get(userId)
      const uri = totpUri(secret, accountName(user))
      return sendPage(reply.code(400), setUpPage({ user, secret, uri, problem: problems.wrong }))
    }
    await reply.reauthenticate({ factors: ['otp'] })
    return reply.redirect('/security', 303)
  })

  app.get('/security/code', { onRequest: app.redirectToSignIn() }, async (request, reply) => {
    const { userId } = request.requireSession()
    if (secondFactors.enabledAt(userId) === null) return reply.redirect('/security/set-up', 303)
    const { next } = /** @type {{ next?: unknown }} */ (request.query)
    const page = codePage({ user: profiles.get(userId), next: pageAfterCode(next), problem: null })
    return sendPage(reply, page)
  })

  app.post('/security/code', required, async (request, reply) => {
    const { userId } = request.requireSession()
    const { code, next: asked } = fieldsOf(request)
    const next = pageAfterCode(asked)
    const used = secondFactors.use(userId, code, clock.now())
    if (used === 'right') {
      await reply.reauthenticate({ factors: ['otp'] })
      return reply.redirect(next, 303)
    }
    const page = codePage({ user: profiles.get(userId), next, problem: problems[used] })
    if (used === 'tooMany') reply.header('retry-after', '60')
    return sendPage(reply.code(used === 'tooMany' ? 429 : 400), page)
  })
}

/**
 * The page of this application that asked for the code.
 *
 * @param {unknown} next
 */
function pageAfterCode(next) {
  return returnTo(next, { fallback: '/security' })
}
