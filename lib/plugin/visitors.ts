import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionId, SessionToken } from '../../types/session.js'
import type { SessionRecord } from '../../types/store.js'
import { requireCapability } from '../core/capabilities.js'
import {
  createSecret,
  createSessionId,
  hashSecret,
  secretHashOf,
  sessionIdOf,
  tokenOf,
} from '../core/token.js'
import { optionError } from '../core/validation.js'
import { readToken } from '../credentials/resolve.js'
import { checkDataKey } from '../data/input.js'
import type { Settings } from '../options/options.js'
import type { ContextSource } from '../session/context.js'
import { insertRecord } from '../session/insert-record.js'
import type { SessionServices } from '../session/services.js'
import { forbidCaching, varyBy } from './cache-headers.js'
import { crossOriginError, type OriginCheck } from './origin-check.js'
import { checkDeliverable, isSent, keepFromCaches, stateOf } from './reply-state.js'
import { replyTo, requestState, stateOfRequest, type Visitor } from './request-state.js'

type VisitorSettings = NonNullable<Settings['visitors']>

/**
 * Visitors: records with data, of nobody. A visitor's token is good for nothing but its data, and the record is read only if
 * a handler asks for data.
 */
export class Visitors {
  readonly #settings: VisitorSettings
  readonly #source: ContextSource
  readonly #services: SessionServices
  readonly #originCheck: OriginCheck

  constructor(
    settings: VisitorSettings,
    source: ContextSource,
    services: SessionServices,
    originCheck: OriginCheck,
  ) {
    this.#settings = settings
    this.#source = source
    this.#services = services
    this.#originCheck = originCheck
  }

  /** An `onRequest` hook: the first write of a visitor sets a cookie on this reply. */
  readonly onRequest = (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    request[replyTo] = reply
    done()
  }

  /** The visitor whose cookie the request carries; `null`: there is none, or it has ended. One read for a request. */
  async find(request: FastifyRequest): Promise<SessionId | null> {
    return (await this.#visitorOf(request))?.id ?? null
  }

  /**
   * The same for a write, which lets the visitor live on; at most once a refresh interval. Rejects with 403 for a page of
   * another origin.
   */
  async findToWrite(request: FastifyRequest): Promise<SessionId | null> {
    const visitor = await this.#visitorOf(request)
    if (visitor === null) return null
    this.#refuseCrossOrigin(request)
    const { store, refreshInterval, clock } = this.#source.context
    const now = clock.now()
    if (now - visitor.lastActivityAt > refreshInterval) {
      visitor.lastActivityAt = now
      const idleDeadline = new Date(Math.min(now + this.#settings.idleTimeout, visitor.absoluteDeadline))
      if (!(await store.extendSession(visitor.id, { lastActivityAt: new Date(now), idleDeadline }))) {
        stateOfRequest(request).visitor = Promise.resolve(null)
        return null
      }
      this.#write(request, visitor.token, Math.floor((visitor.absoluteDeadline - now) / 1_000))
    }
    return visitor.id
  }

  /**
   * A new visitor with its first data, whose cookie goes with the reply. `newId`: its id. Resolves false if another write of the request made
   * one, or makes it now. Rejects with 403 for a page of another origin, whose planted data a sign-in might carry over, and with
   * `GOSESH_ERR_REPLY_SENT` if the cookie can no longer be set.
   */
  async create(
    request: FastifyRequest,
    data: ReadonlyMap<string, string>,
    newId?: SessionId,
  ): Promise<boolean> {
    const finding = this.#visitorOf(request)
    if ((await finding) !== null || stateOfRequest(request).visitor !== finding) return false
    await this.#begin(request, data, newId)
    return true
  }

  /** A new visitor in the place of the one that the request has, who ends; rejects as `create` does, and then stays. */
  async replace(request: FastifyRequest, data: ReadonlyMap<string, string>, newId: SessionId): Promise<void> {
    const id = await this.find(request)
    await this.#begin(request, data, newId)
    if (id !== null) await this.#services.deleter.deleteQuietly(id)
  }

  /** True if the request carries the token of a visitor, alive or not, or a hook has made one already. */
  isPresented(request: FastifyRequest): boolean {
    return Boolean(request[requestState]?.visitor) || readToken(this.#settings.credential, request) !== null
  }

  async #begin(
    request: FastifyRequest,
    data: ReadonlyMap<string, string>,
    newId: SessionId | undefined,
  ): Promise<void> {
    this.#refuseCrossOrigin(request)
    checkDeliverable(request[replyTo] as FastifyReply)
    await this.#remember(request, this.#create(request, data, newId))
  }

  /** Those keys of the visitor's data that it has; `undefined` without a visitor. */
  async dataOf(
    request: FastifyRequest,
    keys: readonly string[],
  ): Promise<ReadonlyMap<string, string> | undefined> {
    const id = await this.find(request)
    if (id === null) return undefined
    const store = requireCapability(this.#source.context.store, 'readData', 'signIn.carry')
    return (await store.readData(id, keys)) ?? undefined
  }

  /** Ends the visitor of the request, and takes its cookie. */
  async end(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { credential } = this.#settings
    const id = await this.find(request)
    if (id === null && readToken(credential, request) === null) return
    credential.clear?.(reply)
    keepFromCaches(reply, stateOf(reply), credential)
    stateOfRequest(request).visitor = Promise.resolve(null)
    if (id !== null) await this.#services.deleter.deleteQuietly(id)
  }

  /** What such a page planted, a sign-in might carry over. */
  #refuseCrossOrigin(request: FastifyRequest): void {
    if (this.#originCheck.refuses(request)) throw crossOriginError(request, null, this.#services.events)
  }

  #visitorOf(request: FastifyRequest): Promise<Visitor | null> {
    const known = request[requestState]?.visitor ?? null
    if (known !== null) return known
    this.#markReply(request)
    return this.#remember(request, this.#find(request))
  }

  /** The visitor of the request from here on; one that could not be read is read again. */
  #remember(request: FastifyRequest, visitor: Promise<Visitor | null>): Promise<Visitor | null> {
    const state = stateOfRequest(request)
    state.visitor = visitor
    visitor.catch(() => {
      state.visitor = null
    })
    return visitor
  }

  /** The answer depends on the cookie, even if there is none: it is for nobody else's cache. */
  #markReply(request: FastifyRequest): void {
    const reply = request[replyTo] as FastifyReply
    if (isSent(reply)) return
    if (!reply.hasHeader('cache-control')) forbidCaching(reply)
    varyBy(reply, [this.#settings.credential.header])
  }

  async #find(request: FastifyRequest): Promise<Visitor | null> {
    const { store, clock } = this.#source.context
    const token = readToken(this.#settings.credential, request)
    if (token === null) return null
    const record = await store.getSession(sessionIdOf(token))
    if (!record || !isVisitor(record, token)) return null
    const absoluteDeadline = record.absoluteDeadline.getTime()
    const ends = Math.min(absoluteDeadline, record.idleDeadline?.getTime() ?? absoluteDeadline)
    if (clock.now() >= ends) return null
    return { id: record.id, token, absoluteDeadline, lastActivityAt: record.lastActivityAt.getTime() }
  }

  async #create(
    request: FastifyRequest,
    data: ReadonlyMap<string, string>,
    newId = createSessionId(),
  ): Promise<Visitor> {
    const { store, clock } = this.#source.context
    const { idleTimeout, credential } = this.#settings
    const secret = createSecret()
    const now = new Date(clock.now())
    const record: SessionRecord = {
      id: newId,
      secretHash: hashSecret(secret, 'visitor'),
      version: 1,
      userId: null,
      createdAt: now,
      lastActivityAt: now,
      authenticatedAt: now,
      idleTimeout,
      idleDeadline: new Date(now.getTime() + idleTimeout),
      absoluteTimeout: credential.absoluteTimeout,
      absoluteDeadline: new Date(now.getTime() + credential.absoluteTimeout),
      persistent: true,
      deviceBound: false,
      metadata: null,
      details: null,
    }
    await insertRecord({ store }, record, data)
    const token = tokenOf(record.id, secret)
    try {
      checkDeliverable(request[replyTo] as FastifyReply)
    } catch (error) {
      // Nobody will ever have the token.
      await this.#services.deleter.deleteQuietly(record.id)
      throw error
    }
    this.#write(request, token, Math.floor(credential.absoluteTimeout / 1_000))
    const absoluteDeadline = record.absoluteDeadline.getTime()
    return { id: record.id, token, absoluteDeadline, lastActivityAt: now.getTime() }
  }

  #write(request: FastifyRequest, token: SessionToken, maxAge: number): void {
    const { credential } = this.#settings
    const reply = request[replyTo] as FastifyReply
    if (isSent(reply)) return
    credential.write?.(reply, token, maxAge)
    keepFromCaches(reply, stateOf(reply), credential)
  }
}

function isVisitor({ userId, secretHash }: SessionRecord, token: SessionToken): boolean {
  return userId === null && secretHashOf(token, 'visitor') === secretHash
}

/** The option `carry` of `signIn`; throws `GOSESH_ERR_OPTION`. */
export function parseCarry(carry: unknown, visitors: Visitors | null): readonly string[] | null {
  if (carry === undefined) return null
  if (Array.isArray(carry) && visitors !== null) return carry.map(checkDataKey)
  throw optionError('signIn.carry', carry, 'an array of keys of the visitor’s data, with the option visitors')
}
