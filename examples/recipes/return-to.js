// @ts-check
import formbody from '@fastify/formbody'
import { redirectToSignIn, returnTo } from 'gosesh'

const text = { type: 'string', maxLength: 1_000 }
const form = { type: 'object', required: ['name', 'password'], properties: { name: text, password: text } }

/** A hook for pages: a browser without a session is sent to sign in, and comes back. */
export const orSignIn = redirectToSignIn('/sign-in')

/**
 * @param {string} next
 * @param {string} says
 */
function page(next, says) {
  // What it encodes cannot end the attribute.
  const action = `/sign-in?${new URLSearchParams({ next })}`
  return `<!doctype html>
<title>Sign in</title>
<form method="post" action="${action}">
  <p role="status">${says}</p>
  <label>Name <input name="name" autocomplete="username"></label>
  <label>Password <input name="password" type="password" autocomplete="current-password"></label>
  <button>Sign in</button>
</form>`
}

/**
 * A page to sign in at, which leads back to the page that was asked for.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ checkPassword: (name: string, password: string) => Promise<string | null> }} options
 */
export async function signInPage(app, { checkPassword }) {
  await app.register(formbody)

  /** @param {import('fastify').FastifyRequest} request */
  const nextOf = ({ query }) => returnTo(/** @type {{ next?: unknown }} */ (query).next)

  app.get('/sign-in', async (request, reply) => {
    return reply.type('text/html').send(page(nextOf(request), ''))
  })

  app.post('/sign-in', { schema: { body: form } }, async (request, reply) => {
    const { name, password } = /** @type {{ name: string, password: string }} */ (request.body)
    const userId = await checkPassword(name, password)
    if (userId === null) {
      return reply
        .code(401)
        .type('text/html')
        .send(page(nextOf(request), 'The name or the password is wrong'))
    }
    await reply.signIn(userId, { factors: ['pwd'] })
    return reply.redirect(nextOf(request), 303)
  })
}
