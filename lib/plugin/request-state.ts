import type { FastifyRequest } from 'fastify'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { HeldData } from '../core/internals.js'
import type { SessionDataCalls } from '../data/session-data.js'

/** Times are milliseconds since the epoch. */
export interface Visitor {
  readonly id: SessionId
  readonly token: SessionToken
  readonly absoluteDeadline: number
  lastActivityAt: number
}

/** What a request has once it is asked for its data, or its reply signs in or out. */
export interface RequestState {
  /** The session that the reply began; `null` once it signed out; `undefined` if it did neither. */
  session: Session | null | undefined
  data: SessionDataCalls | null
  held: HeldData | null
  /** The visitor whose cookie the request carries, or whom one of its writes made; `null`: nobody has asked. */
  visitor: Promise<Visitor | null> | null
}

/**
 * All of it is kept on the request itself. What a `WeakMap` holds that refers to its key outlives the request until the next full
 * garbage collection, and V8 takes it for long-lived and has all of its kind collected by those alone.
 */
export const requestState = Symbol('gosesh.requestState')
/** The reply to the request, with the option `visitors`. */
export const replyTo = Symbol('gosesh.replyTo')

declare module 'fastify' {
  interface FastifyRequest {
    [requestState]: RequestState | null
    [replyTo]?: FastifyReply | null
  }
}

export function stateOfRequest(request: FastifyRequest): RequestState {
  request[requestState] ??= { session: undefined, data: null, held: null, visitor: null }
  return request[requestState]
}
