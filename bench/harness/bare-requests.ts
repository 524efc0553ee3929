import { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'

/** Requests after which the event loop turns, as it does for what a client sends. */
const requestsPerTurn = 64

/** Takes what is written to it, and keeps nothing. */
function nowhere(): Socket {
  const sink = new Writable({ write: (_chunk, _encoding, done) => done() })
  return Object.assign(sink, { remoteAddress: '127.0.0.1', setTimeout() {} }) as unknown as Socket
}

/**
 * Requests that reach an application without a connection: what they cost is what Node's `http`, Fastify and plugins
 * do, without the operating system, whose share depends on what else runs.
 */
export class BareRequests {
  readonly #app: FastifyInstance
  readonly #url: string
  readonly #cookies: readonly string[]
  readonly #socket = nowhere()
  #sent = 0

  constructor(app: FastifyInstance, url: string, cookies: readonly string[]) {
    this.#app = app
    this.#url = url
    this.#cookies = cookies
  }

  /** One request after the other. Resolves nanoseconds a request. */
  async time(count: number): Promise<number> {
    const started = process.hrtime.bigint()
    for (let left = count; left > 0; left -= requestsPerTurn) {
      for (let i = 0; i < Math.min(left, requestsPerTurn); i++) await this.#send()
      await new Promise(setImmediate)
    }
    return Number(process.hrtime.bigint() - started) / count
  }

  #send(): Promise<void> {
    const request = new IncomingMessage(this.#socket)
    const cookie = this.#cookies[this.#sent++ % this.#cookies.length]
    const headers = { host: '127.0.0.1', ...(cookie !== undefined && { cookie }) }
    Object.assign(request, { method: 'GET', url: this.#url, httpVersionMajor: 1, httpVersionMinor: 1 })
    Object.defineProperty(request, 'headers', { value: headers })
    request.push(null)
    const response = new ServerResponse(request)
    response.assignSocket(this.#socket)
    return new Promise((resolve, reject) => {
      response.once('finish', () => {
        response.detachSocket(this.#socket)
        if (response.statusCode === 200) resolve()
        else reject(new Error(`${this.#url} answered ${response.statusCode}`))
      })
      this.#app.routing(request, response)
    })
  }
}
