import type { FastifyReply } from 'fastify'
import type { Credential } from '../../types/credential.js'
import type { Session } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { forbidCaching, varyBy } from './cache-headers.js'

/** What `signIn`, `reauthenticate` and `signOut` have done on a reply so far. */
export interface ReplyState {
  /** Settles when the calls made so far on this reply have. */
  queue: Promise<unknown>
  /** The session whose token the reply wrote; `null` once it signed out; `undefined` if it did neither. */
  session: Session | null | undefined
  /** True once the user has proved who they are: by a sign-in, or a re-authentication. */
  proved: boolean
  /** Credentials that it wrote or cleared. */
  readonly credentials: Set<Credential>
  /** Takes back, one after another, what the client never hears of if it hangs up before the headers are sent. Never reject. */
  undo: (() => Promise<void>)[]
}

export const replyState = Symbol('gosesh.replyState')

declare module 'fastify' {
  interface FastifyReply {
    [replyState]: ReplyState | null
  }
}

export function stateOf(reply: FastifyReply): ReplyState {
  reply[replyState] ??= newState(reply)
  return reply[replyState]
}

function newState(reply: FastifyReply): ReplyState {
  const state: ReplyState = {
    queue: Promise.resolve(),
    session: undefined,
    proved: false,
    credentials: new Set(),
    undo: [],
  }
  reply.raw.once('close', () => {
    if (!reply.raw.headersSent) void state.queue.then(() => undoAll(state))
  })
  return state
}

async function undoAll({ undo }: ReplyState): Promise<void> {
  for (const step of undo) await step()
}

/** Calls on one reply take effect in the order in which they were made, so that the last one stands. */
export function inOrder<T>(state: ReplyState, work: () => Promise<T>): Promise<T> {
  const result = state.queue.then(work)
  state.queue = result.catch(() => {})
  return result
}

const heldReplies = new WeakSet<FastifyReply>()

/**
 * Lets the reply count as sent for everybody but gosesh, until the returned function is called: while an `onSend` hook works,
 * Fastify would run a handler on whose hook has answered already, and send what it returns.
 */
export function holdReply(reply: FastifyReply): () => void {
  heldReplies.add(reply)
  Object.defineProperty(reply, 'sent', { configurable: true, value: true })
  return () => {
    heldReplies.delete(reply)
    Reflect.deleteProperty(reply, 'sent')
  }
}

export function isSent(reply: FastifyReply): boolean {
  return (reply.sent && !heldReplies.has(reply)) || reply.raw.headersSent
}

/** Throws if no credential can reach the client any more. */
export function checkDeliverable(reply: FastifyReply): void {
  if (isSent(reply)) throw new GoseshError('GOSESH_ERR_REPLY_SENT')
  // Of HTTP/2 only the request knows.
  if (!reply.raw.destroyed && !reply.request.raw.aborted) return
  const message = 'The client closed the connection before the credential could be written'
  throw new GoseshError('GOSESH_ERR_REPLY_SENT', { message, statusCode: 400 })
}

/** The `onSend` hook says it again; inside an `onSend` of the application it has run already. */
export function keepFromCaches(reply: FastifyReply, state: ReplyState, credential: Credential): void {
  state.credentials.add(credential)
  forbidCaching(reply)
  varyBy(reply, [credential.header])
}
