import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { CreateSessionOptions } from '../../types/options.js'
import type { Session, SessionToken } from '../../types/session.js'
import type { DeviceCodeProvider, SessionStore } from '../../types/store.js'
import { GoseshError } from './errors.js'

/** What the plugin lends to `gosesh/oauth` and `gosesh/testing` beside the public API. */
export interface Internals {
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

/** Throws `GOSESH_ERR_NOT_REGISTERED` if another copy of gosesh was registered. */
export function requireInternals(app: FastifyInstance): void {
  if (app.hasDecorator(internals)) return
  const message =
    'gosesh and its subpath come from two copies of the package; npm ls gosesh shows where they are'
  throw new GoseshError('GOSESH_ERR_NOT_REGISTERED', { message })
}
