// @ts-check
import { Signer } from '@fastify/cookie'
import fp from 'fastify-plugin'
import gosesh, { cookieCredential } from 'gosesh'

/** @typedef {Record<string, any>} OldSession */

/**
 * @typedef {object} OldSessions What the old plugin was given, and whose a session is.
 * @property {any} store
 * @property {string | string[]} secret
 * @property {(session: OldSession) => string | undefined} userIdOf `undefined`: nobody is signed in.
 * @property {(session: OldSession) => import('gosesh').SignInOptions} [signInOptionsOf] What else is carried over, such as
 *   `metadata`, and `createdAt` and `authenticatedAt` if the old session knows when its user signed in, and last confirmed it.
 * @property {(session: OldSession) => object} [dataOf] What becomes `request.sessionData`. Default: all of it.
 * @property {string} [cookieName] Default: `sessionId`.
 * @property {{ path?: string, domain?: string }} [cookie]
 */

/**
 * The store of @fastify/session, with promises.
 *
 * @param {any} store
 */
function promised(store) {
  /** @type {(method: 'get' | 'set', ...args: unknown[]) => Promise<any>} */
  const call = (method, ...args) =>
    new Promise((resolve, reject) => {
      store[method](...args, (/** @type {any} */ error, /** @type {unknown} */ result) => {
        if (!error || error.code === 'ENOENT') return resolve(result)
        const message = 'The store of the old sessions is unavailable'
        reject(Object.assign(new Error(message, { cause: error }), { statusCode: 503 }))
      })
    })
  return call
}

/**
 * A session that was to be remembered for longer than usual still is, and one that was to end with the browser still does.
 *
 * @param {OldSession} session
 * @param {import('gosesh').Credential} credential
 * @returns {import('gosesh').SignInOptions}
 */
function rememberMe({ cookie }, { absoluteTimeout }) {
  const maxAge = cookie?.originalMaxAge
  if (typeof maxAge !== 'number') return { persistent: false }
  return maxAge > absoluteTimeout ? { idleTimeout: null, absoluteTimeout: maxAge } : {}
}

/**
 * Registers gosesh for an application that had @fastify/session: who is signed in there is signed in here by the next
 * request, without noticing. Takes the options of gosesh too, but for `credentials`.
 *
 * @type {import('fastify').FastifyPluginAsync<{
 *   old: OldSessions, credential?: import('gosesh').Credential } & Omit<import('gosesh').GoseshOptions, 'credentials'>>}
 */
const plugin = async (app, { old, credential = cookieCredential(), ...options }) => {
  const { secret, userIdOf, signInOptionsOf = () => ({}), cookieName = 'sessionId', cookie = {} } = old
  const { dataOf = ({ cookie: _, exchangedFor: __, ...data }) => data } = old
  const oldStore = promised(old.store)
  const signer = new Signer(secret)

  /** @type {WeakMap<import('fastify').FastifyRequest, string>} Tokens that began with a request, which cannot carry them. */
  const begun = new WeakMap()
  /** @type {import('gosesh').Credential} */
  const exchanging = {
    ...credential,
    read: (request) => begun.get(request) ?? credential.read(request),
    write(reply, token, maxAge) {
      begun.set(reply.request, token)
      credential.write?.(reply, token, maxAge)
    },
  }

  /** @type {(oldId: string | null) => Promise<OldSession | null>} The old session, while it still stands for somebody. */
  const find = async (oldId) => {
    const session = oldId === null ? null : await oldStore('get', oldId)
    if (!session) return null
    const { expires } = session.cookie ?? {}
    if (expires && new Date(expires).getTime() <= Date.now()) return null
    // Once exchanged it lasts as long as the new one: requests sent side by side carry the old cookie still, and
    // whoever was signed out stays signed out.
    const { exchangedFor } = session
    return exchangedFor === undefined || (await app.gosesh.getSession(exchangedFor)) ? session : null
  }

  /** @type {(session: OldSession) => import('gosesh').SignInOptions | null} `null`: it would have ended by now. */
  const optionsOf = (session) => {
    const carried = { ...rememberMe(session, credential), ...signInOptionsOf(session) }
    const { absoluteTimeout = credential.absoluteTimeout } = carried
    const { maxAge = absoluteTimeout, notBefore = new Date(0), clock = Date } = options
    const [now, lifetime] = [clock.now(), Math.min(absoluteTimeout, maxAge)]
    // Nobody knows when: half a session ago, so that it is no recent sign-in, and has as long to go.
    const { createdAt = new Date(now - lifetime / 2) } = carried
    const { authenticatedAt = createdAt } = carried
    const latest = Math.max(createdAt.getTime(), authenticatedAt.getTime())
    const lives = latest + lifetime > now && createdAt >= notBefore
    return lives ? { ...carried, createdAt } : null
  }

  /** @type {(request: import('fastify').FastifyRequest, session: OldSession) => Promise<void>} */
  const keepData = async ({ sessionData }, session) => {
    for (const [key, value] of Object.entries(dataOf(session))) await sessionData.set(key, value)
  }

  /** @type {WeakMap<import('fastify').FastifyRequest, OldSession>} Old sessions in which nobody has signed in. */
  const visits = new WeakMap()

  // Before gosesh, whose own hook then finds the new session as if the request had brought it.
  app.addHook('onRequest', async (request, reply) => {
    const value = app.parseCookie(request.headers.cookie ?? '')[cookieName]
    if (value === undefined || request.routeOptions.config?.session === false) return
    const token = credential.read(request)
    if (token !== null && (await app.gosesh.verifyToken(token, { activity: false }))) return

    const oldId = signer.unsign(value).value
    const session = await find(oldId)
    const userId = session && userIdOf(session)
    if (session && userId === undefined) visits.set(request, session)
    const signInOptions = session && userId !== undefined && optionsOf(session)
    if (!signInOptions) return
    const { id } = await reply.signIn(/** @type {string} */ (userId), signInOptions)
    try {
      await keepData(request, session)
      if (session.exchangedFor === undefined) await oldStore('set', oldId, { ...session, exchangedFor: id })
    } catch (error) {
      await reply.signOut()
      throw error
    }
    reply.clearCookie(cookieName, cookie)
  })

  await app.register(gosesh, { ...options, credentials: [exchanging] })

  // After gosesh, which makes a visitor of whoever had data, and clears the old cookie.
  app.addHook('onRequest', async (request, reply) => {
    const session = options.visitors && visits.get(request)
    if (!session) return
    if (Object.keys(await request.sessionData.all()).length === 0) await keepData(request, session)
    reply.clearCookie(cookieName, cookie)
  })
}

export const goseshAfterFastifySession = fp(plugin)
