import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { CreateSessionOptions } from '../../types/options.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { DeviceCodeProvider, SessionStore } from '../../types/store.js'
import { GoseshError } from './errors.js'

/** Data that is held in memory for the length of a request. */
export interface HeldData {
  /** Writes what has changed; `undefined`: nothing has. */
  save(): Promise<void> | undefined
  /** Begins anew, with the data of the session that the reply has just begun; `null`: it has signed out. */
  begin(id: SessionId | null, data: ReadonlyMap<string, string>): void
}

/** The data of a request as a whole, for `gosesh/compat`. Values are JSON. */
export interface WholeData {
  /** The session that the request has by now; `null`: its data is that of a visitor. */
  sessionIdOf(request: FastifyRequest): SessionId | null
  /** True if the request carries what data is found by. */
  isPresented(request: FastifyRequest): boolean
  load(request: FastifyRequest): Promise<{ id: SessionId | null; data: ReadonlyMap<string, string> }>
  encode(request: FastifyRequest, key: string, value: unknown): string
  decode(json: string): unknown
  /**
   * Sets keys, and deletes those that are `null`; without any, a visitor only lives on. A first write makes a visitor, whose id
   * is `newId`.
   */
  write(request: FastifyRequest, changes: ReadonlyMap<string, string | null>, newId: SessionId): Promise<void>
  /** Keeps this data and no other, under a new secret. A visitor becomes a new one, whose id is `newId`. */
  renew(reply: FastifyReply, data: ReadonlyMap<string, string>, newId: SessionId): Promise<void>
  /** Signs out, or ends the visitor. */
  end(reply: FastifyReply): Promise<void>
  /** From now on this is saved before a sign-in, and begins anew with it. */
  hold(request: FastifyRequest, held: HeldData): void
  /** Until the returned function is called, the reply counts as sent for everybody else. */
  holdReply(reply: FastifyReply): () => void
}

/** What the plugin lends to the subpaths beside the public API. */
export interface Internals {
  /** What the session is called on the request. */
  readonly decorateAs: string
  /** `null` without the option `visitors`. */
  readonly wholeData: WholeData | null
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
