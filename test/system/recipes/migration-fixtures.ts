import { createRequire } from 'node:module'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { goseshAfterFastifySession } from '../../../examples/recipes/migration.js'
import type { GoseshOptions, SignInOptions } from '../../../lib/index.js'
import { addRoutes } from '../../tools/app.js'

export const require = createRequire(import.meta.url)
// Required and not imported, because its types declare `request.session` too.
export const fastifySession = require('@fastify/session')
export const fastifyCookie = require('@fastify/cookie')

export const secret = 'a secret of at least thirty-two characters'

/** The store of @fastify/session that keeps sessions in the process, with what goes wrong left to the test. */
export class OldStore extends fastifySession.MemoryStore {
  declare readonly store: Map<string, { cookie: { expires: Date } }>
  failing = false
  reads = 0
  writes = 0

  get(id: string, callback: (error: Error | null, session?: object) => void): void {
    this.reads++
    if (this.failing) callback(new Error('the old store is down'))
    else super.get(id, callback)
  }

  set(id: string, session: object, callback: (error?: Error) => void): void {
    this.writes++
    if (this.failing) callback(new Error('the old store is down'))
    else super.set(id, session, callback)
  }
}

/** The application as it was. */
export function oldApp(t: Test, store: unknown, cookie: object = {}): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(fastifyCookie)
  app.register(fastifySession, { secret, store, cookie: { maxAge: 3_600_000, secure: false, ...cookie } })
  app.post('/login', async (request) => {
    const session = request.session as unknown as { regenerate(): Promise<void>; userId: string }
    await session.regenerate()
    Object.assign(request.session as object, { userId: (request.body as { user: string }).user })
    return { done: true }
  })
  app.get('/whoami', async (request) => ({ session: request.session }))
  return app
}

/** The application as it is now. */
export function newApp(
  t: Test,
  store: unknown,
  options: Omit<GoseshOptions, 'credentials'> = {},
  more: { signInOptionsOf?: () => SignInOptions } = {},
): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  const userIdOf = (session: Record<string, unknown>) => session.userId as string | undefined
  app.register(goseshAfterFastifySession, { old: { store, secret, userIdOf, ...more }, ...options })
  addRoutes(app)
  return app
}

/** A browser that is sent from one application to the other. */
export class Visitor {
  readonly cookies: Record<string, string> = {}

  async send(app: FastifyInstance, method: 'GET' | 'POST', url: string, body?: object) {
    const sent = { ...this.cookies }
    const headers = { 'x-forwarded-proto': 'https' }
    const response = await app.inject({ method, url, headers, cookies: sent, ...(body && { body }) })
    for (const { name, value, maxAge } of response.cookies) {
      if (maxAge === 0) delete this.cookies[name]
      else this.cookies[name] = value
    }
    return response
  }
}

export async function signedInBefore(t: Test, store: unknown, user = 'ada'): Promise<Visitor> {
  const visitor = new Visitor()
  await visitor.send(oldApp(t, store), 'POST', '/login', { user })
  return visitor
}
