import type { FastifyInstance, FastifyRequest, preValidationAsyncHookHandler } from 'fastify'
import { Strategy as LocalStrategy } from 'passport-local'
import { Authenticator, type Client } from './app.js'

export interface User {
  readonly id: string
  readonly name: string
}

/** The part of @fastify/passport that the tests call. */
interface Passport {
  authenticate(strategy: string, ...options: unknown[]): preValidationAsyncHookHandler
  authorize(strategy: string): preValidationAsyncHookHandler
}

declare module 'fastify' {
  interface FastifyRequest {
    user?: unknown
    account?: unknown
    isAuthenticated(): boolean
    isUnauthenticated(): boolean
    logOut(): Promise<void>
    flash(type: string, ...message: unknown[]): number
  }
  interface FastifyReply {
    flash(type?: string): unknown
  }
}

/** The users of the tests; the password of each is their id backwards. */
export const users = new Map<string, User>(
  ['ada', 'bo', 'cy'].map((id) => [id, { id, name: `Name of ${id}` }]),
)

/** @fastify/passport and passport-local as their documentation has them, in their own session mode. */
export function registerPassport(
  app: FastifyInstance,
  options: { clearSessionOnLogin?: boolean; clearSessionIgnoreFields?: string[] } = {},
): Passport {
  const passport = new Authenticator(options)
  app.register(passport.initialize())
  app.register(passport.secureSession())
  passport.registerUserSerializer(async (user: User) => user.id)
  passport.registerUserDeserializer(async (id: string) => users.get(id) ?? null)
  passport.use(
    'local',
    new LocalStrategy((username, password, done) => {
      const user = users.get(username)
      // The type is what @fastify/passport flashes it as.
      const info = { type: 'error', message: 'Wrong password' }
      const isRight = password === [...username].reverse().join('')
      done(null, user !== undefined && isRight && user, info)
    }) as never,
  )
  return passport
}

export const passwordOf = (username: string) => ({ username, password: [...username].reverse().join('') })

export const logIn = (client: Client, username: string, path = '/login') =>
  client.post(path, passwordOf(username))

/** The session as an application that had @fastify/session uses it. */
export function dataOf(request: FastifyRequest): Record<string, unknown> {
  return request.session as never
}
