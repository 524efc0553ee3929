import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionId } from '../../types/session.js'
import type { HeldData, WholeData } from '../core/internals.js'
import { decodeValue } from '../data/input.js'
import type { ReplySigner } from './reply.js'
import { holdReply } from './reply-state.js'
import type { RequestData } from './request-data.js'
import { stateOfRequest } from './request-state.js'
import type { Visitors } from './visitors.js'

/** What `gosesh/compat` does with the data of a request, all keys at once. */
export class RequestWholeData implements WholeData {
  readonly #data: RequestData
  readonly #visitors: Visitors
  readonly #signer: ReplySigner
  readonly decode = decodeValue
  readonly holdReply = holdReply

  constructor(data: RequestData, visitors: Visitors, signer: ReplySigner) {
    this.#data = data
    this.#visitors = visitors
    this.#signer = signer
  }

  sessionIdOf(request: FastifyRequest): SessionId | null {
    return this.#data.sessionOf(request)?.id ?? null
  }

  isPresented(request: FastifyRequest): boolean {
    return this.#data.sessionOf(request) !== null || this.#visitors.isPresented(request)
  }

  async load(request: FastifyRequest): Promise<{ id: SessionId | null; data: ReadonlyMap<string, string> }> {
    const data = await this.#data.of(request).readAll()
    return { id: this.sessionIdOf(request) ?? (await this.#visitors.find(request)), data }
  }

  encode(request: FastifyRequest, key: string, value: unknown): string {
    return this.#data.of(request).encode(key, value)
  }

  async write(
    request: FastifyRequest,
    changes: ReadonlyMap<string, string | null>,
    newId: SessionId,
  ): Promise<void> {
    await this.#data.of(request).write(changes, newId)
  }

  async renew(reply: FastifyReply, data: ReadonlyMap<string, string>, newId: SessionId): Promise<void> {
    const { request } = reply
    const calls = this.#data.of(request)
    calls.checkKeys(data)
    if (this.sessionIdOf(request) !== null) {
      await this.#signer.rotateSecret(reply, async () => {
        const changes = new Map<string, string | null>(data)
        // What another request wrote meanwhile goes too.
        for (const key of (await calls.readAll()).keys()) if (!data.has(key)) changes.set(key, null)
        await calls.write(changes)
      })
    } else if (data.size > 0) await this.#visitors.replace(request, data, newId)
    else await this.#endVisitor(reply)
  }

  async end(reply: FastifyReply): Promise<void> {
    if (this.sessionIdOf(reply.request) !== null) await this.#signer.signOut(reply)
    else await this.#endVisitor(reply)
  }

  async #endVisitor(reply: FastifyReply): Promise<void> {
    // It is a write, and refused to a page of another origin.
    await this.#visitors.findToWrite(reply.request)
    await this.#visitors.end(reply.request, reply)
  }

  hold(request: FastifyRequest, held: HeldData): void {
    stateOfRequest(request).held = held
  }
}
