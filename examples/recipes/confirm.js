// @ts-check

const fiveMinutes = 5 * 60_000

/** The `config` of a dangerous route: its user signed in, or confirmed that it is them, within five minutes. */
export const recently = { session: { signedInWithin: fiveMinutes } }

/** The same for an action that needs more than a password. */
export const recentlyWithCode = { session: { signedInWithin: fiveMinutes, factors: ['otp'] } }

/** @typedef {(userId: string, secret: string) => Promise<boolean>} Check */

/**
 * Two routes by which a signed-in user confirms that it is them. The session keeps its id and its metadata, and gets a new
 * token. Limit the rate of attempts, as for sign-in.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ checkPassword: Check, checkCode: Check }} options A code must be accepted only once.
 */
export async function confirmation(app, { checkPassword, checkCode }) {
  /** @type {(field: string, method: string, check: Check) => void} */
  const confirmBy = (field, method, check) => {
    const properties = { [field]: { type: 'string', maxLength: 1_000 } }
    const schema = { body: { type: 'object', required: [field], properties } }
    const config = { session: { required: true } }

    app.post(`/confirm/${field}`, { config, schema }, async (request, reply) => {
      const { userId } = request.requireSession()
      const body = /** @type {Record<string, string>} */ (request.body)
      if (!(await check(userId, String(body[field])))) {
        throw Object.assign(new Error(`The ${field} is wrong`), { statusCode: 403 })
      }
      const { authenticatedAt } = await reply.reauthenticate({ factors: [method] })
      return { authenticatedAt }
    })
  }

  confirmBy('password', 'pwd', checkPassword)
  confirmBy('code', 'otp', checkCode)
}
