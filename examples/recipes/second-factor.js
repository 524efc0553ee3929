// @ts-check
import { randomBytes } from 'node:crypto'

const fiveMinutes = 5 * 60_000
const maxCodes = 5
const text = { type: 'string', maxLength: 1_000 }

/** @param {string[]} required */
const formOf = (...required) => ({
  body: { type: 'object', required, properties: Object.fromEntries(required.map((name) => [name, text])) },
})

/** @param {string} message */
const refused = (message) => Object.assign(new Error(message), { statusCode: 401 })

/**
 * Signing in by a password, and then a code. Between the two nobody is signed in: the data of the visitor says who gave the
 * right password, which is good for five minutes and five codes. Register gosesh with `visitors: {}`.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {object} options
 * @param {(name: string, password: string) => Promise<string | null>} options.checkPassword Resolves with the user id.
 * @param {(userId: string, code: string) => Promise<boolean>} options.checkCode It accepts a code once, and refuses all of a
 *   user's for a while after too many wrong ones: whoever knows the password can begin again here.
 * @param {import('gosesh').Clock} [options.clock]
 */
export async function signInWithCode(app, { checkPassword, checkCode, clock = Date }) {
  app.post('/login', { schema: formOf('name', 'password') }, async ({ body, sessionData }) => {
    const { name, password } = /** @type {{ name: string, password: string }} */ (body)
    const userId = await checkPassword(name, password)
    if (userId === null) throw refused('The name or the password is wrong')
    // Only this answer has it. Somebody who planted their visitor's cookie here has the data, and not the ticket.
    const ticket = randomBytes(16).toString('base64url')
    const until = clock.now() + fiveMinutes
    await sessionData.set('pendingSignIn', { userId, ticket, until, codes: 0 })
    return { ticket }
  })

  app.post('/login/code', { schema: formOf('ticket', 'code') }, async ({ body, sessionData }, reply) => {
    const { ticket, code } = /** @type {{ ticket: string, code: string }} */ (body)
    // Counted before it is looked at, so that many codes at once count as well.
    const pending = /** @type {any} */ (
      await sessionData.update(
        'pendingSignIn',
        (/** @type {any} */ found) => found && { ...found, codes: found.codes + 1 },
      )
    )
    const isGood = pending?.ticket === ticket && pending.codes <= maxCodes && clock.now() < pending.until
    if (!isGood) throw refused('Begin again with the password')
    if (!(await checkCode(pending.userId, code))) throw refused('The code is wrong')
    // Used up: of two right codes at once one signs in.
    const taken = await sessionData.take('pendingSignIn')
    if (taken === undefined) throw refused('Begin again with the password')
    // Nothing goes over to the session, and the visitor ends.
    const { id } = await reply.signIn(pending.userId, { factors: ['pwd', 'otp'], carry: [] })
    return { id }
  })
}
