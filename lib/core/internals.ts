import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { CreateSessionOptions } from '../../types/options.js'
import type { Session, SessionToken } from '../../types/session.js'
import type { DeviceCodeProvider, SessionStore } from '../../types/store.js'
import { GoseshError } from './errors.js'

/** What the plugin lends to the subpaths beside the public API. */
export interface Internals {
  /** What the session is called on the request. */
  readonly decorateAs: string
  readonly credentials: readonly Credential[]
  /** The store within the limits of gosesh's own calls. Throws `GOSESH_ERR_NOT_READY` until the store is known. */
  readonly store: SessionStore & Partial<DeviceCodeProvider>
  /** As `app.gosesh.createSession`. If `confirm` rejects, the new session is deleted again, and no other one has ended. */
  createSession(
    userId: string,
    options: CreateSessionOptions,
    confirm: () => Promise<void>,
  ): Promise<{ session: Session; token: SessionToken }>
  /** Throws `GOSESH_ERR_CROSS_ORIGIN` if a browser sent the request from a page of another origin than these. */
  refuseCrossOrigin(request: FastifyRequest, origins: readonly string[]): void
}

export const internals = Symbol('gosesh.internals')

declare module 'fastify' {
  interface FastifyInstance {
    [internals]: Internals
  }
}

/** The verified session of the request, whatever the option `decorateAs` calls it. */
export function sessionOf(request: FastifyRequest): Session | null {
  return sessionAs(request, request.server[internals].decorateAs)
}

/** The same if the name is at hand. */
export function sessionAs(request: FastifyRequest, name: string): Session | null {
  return (request as unknown as Record<string, Session | null | undefined>)[name] ?? null
}

/** Throws `GOSESH_ERR_NOT_REGISTERED` if another copy of gosesh was registered. */
export function requireInternals(app: FastifyInstance): void {
  if (app.hasDecorator(internals)) return
  const message =
    'gosesh and its subpath come from two copies of the package; npm ls gosesh shows where they are'
  throw new GoseshError('GOSESH_ERR_NOT_REGISTERED', { message })
}
