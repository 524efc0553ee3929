import type { Session as SignInSession } from './session.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The verified session as it stood when the request arrived, pending activity included; else `null`. */
    readonly session: SignInSession | null
  }
}
