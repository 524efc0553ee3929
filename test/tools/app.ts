import Fastify, {
  type FastifyInstance,
  type FastifyServerOptions,
  type LightMyRequestResponse,
} from 'fastify'
import type { Test } from 'tap'
import gosesh, {
  type GoseshOptions,
  type ReplyReauthenticateOptions,
  type Session,
  type SignInOptions,
} from '../../lib/index.js'
import { withCache } from './session-cache.js'

/** An application with the usual routes, closed after the test. */
/** Shaped like a token, and no session's. */
export const unknownToken: string = `${'x'.repeat(22)}.${'x'.repeat(43)}`

export function buildApp(
  t: Test,
  options: GoseshOptions = {},
  server: FastifyServerOptions = {},
): FastifyInstance {
  const app = Fastify(server)
  t.teardown(() => app.close())
  app.register(gosesh, withCache(options))
  addRoutes(app)
  return app
}

export function addRoutes(app: FastifyInstance): void {
  app.post<{ Body: SignInOptions & { user?: string } }>('/login', async (request, reply) => {
    const { user = 'ada', ...options } = request.body ?? {}
    return await reply.signIn(user, options)
  })
  app.post('/logout', async (_request, reply) => {
    await reply.signOut()
    return { done: true }
  })
  app.post('/logout-everywhere', async (_request, reply) => {
    await reply.signOut({ everywhere: true })
    return { done: true }
  })
  app.post<{ Body: ReplyReauthenticateOptions | null }>('/confirm', async (request, reply) =>
    reply.reauthenticate(request.body ?? {}),
  )
  app.get('/whoami', async (request) => ({ session: request.session }))
  app.get('/me', { config: { session: { required: true } } }, async (request) => request.requireSession())
  app.get('/poll', { config: { session: { activity: false } } }, async (request) => ({
    session: request.session,
  }))
  app.get('/health', { config: { session: false } }, async (request) => ({ session: request.session }))
}

/** The `name=value` of the one cookie that the response sets. */
export function cookieOf(response: LightMyRequestResponse): string {
  const [cookie, ...more] = response.cookies
  if (cookie === undefined || more.length > 0)
    throw new Error(`expected one cookie, got ${response.cookies.length}`)
  return `${cookie.name}=${cookie.value}`
}

/** Signs in and returns the cookie and the session. */
export async function signIn(
  app: FastifyInstance,
  body: SignInOptions & { user?: string } = {},
): Promise<{ cookie: string; session: Session }> {
  const response = await app.inject({ method: 'POST', url: '/login', body })
  if (response.statusCode !== 200)
    throw new Error(`sign-in answered ${response.statusCode}: ${response.body}`)
  return { cookie: cookieOf(response), session: response.json() }
}

/** The session that the application sees for this cookie, as JSON. */
export async function whoami(app: FastifyInstance, cookie: string, url = '/whoami'): Promise<Session | null> {
  const response = await app.inject({ url, headers: { cookie } })
  if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}: ${response.body}`)
  return response.json().session
}
