import { Writable } from 'node:stream'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import gosesh, { type GoseshOptions, type Session } from '../../lib/index.js'
import { addRoutes } from '../tools/app.js'
import { WatchedStore } from '../tools/store.js'
import { RawClient, type RawResponse } from './raw-client.js'

export interface SiteOptions {
  readonly gosesh?: GoseshOptions
  readonly server?: FastifyServerOptions
  readonly routes?: (app: FastifyInstance) => void
}

/** What somebody holds who has signed in. */
export interface SignedIn {
  readonly token: string
  /** The request header of a browser. */
  readonly cookie: string
  readonly session: Session
  readonly response: RawResponse
}

/** The `name=value` pairs that the response sets, and the attributes of each. */
export function setCookies(response: RawResponse): { pair: string; attributes: string[] }[] {
  return (response.headers.get('set-cookie') ?? []).map((line) => {
    const [pair = '', ...attributes] = line.split('; ')
    return { pair, attributes }
  })
}

/** An application that listens on a port of its own, whose requests are written by hand, and whose every log line is kept. */
export class Site {
  readonly app: FastifyInstance
  readonly store: WatchedStore
  /** All that was logged, at every level. */
  readonly logged: string[]
  readonly port: number
  readonly #client: RawClient

  private constructor(app: FastifyInstance, store: WatchedStore, logged: string[], port: number) {
    this.app = app
    this.store = store
    this.logged = logged
    this.port = port
    this.#client = new RawClient(port)
  }

  static async start(t: Test, options: SiteOptions = {}): Promise<Site> {
    const store = new WatchedStore()
    const logged: string[] = []
    const stream = new Writable({
      decodeStrings: false,
      write(line, _encoding, done) {
        logged.push(String(line))
        done()
      },
    })
    const app = Fastify({ logger: { level: 'trace', stream }, ...options.server })
    t.teardown(() => app.close())
    app.register(gosesh, { store, sweepInterval: null, ...options.gosesh })
    addRoutes(app)
    app.all('/act', async (request) => ({ user: request.session?.userId ?? null }))
    options.routes?.(app)
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as { port: number }
    const site = new Site(app, store, logged, port)
    t.teardown(() => site.#client.close())
    return site
  }

  get host(): string {
    return `127.0.0.1:${this.port}`
  }

  /** Another connection; the caller's own calls go one after another. */
  connect(t: Test): RawClient {
    const client = new RawClient(this.port)
    t.teardown(() => client.close())
    return client
  }

  /** The request as it goes over the wire. */
  compose(method: string, url: string, lines: readonly string[] = [], body?: string): string {
    const bytes = Buffer.from(body ?? '').toString('latin1')
    const framing = body === undefined ? [] : [`Content-Length: ${bytes.length}`]
    return [`${method} ${url} HTTP/1.1`, `Host: ${this.host}`, ...lines, ...framing, '', bytes].join('\r\n')
  }

  async send(
    method: string,
    url: string,
    lines: readonly string[] = [],
    body?: string,
  ): Promise<RawResponse> {
    const response = await this.#client.send(this.compose(method, url, lines, body))
    if (response === null) throw new Error(`${method} ${url} was not answered`)
    return response
  }

  async post(url: string, body: unknown, lines: readonly string[] = []): Promise<RawResponse> {
    return await this.send('POST', url, ['Content-Type: application/json', ...lines], JSON.stringify(body))
  }

  /** Signs in at `POST /login`, over HTTP. */
  async signIn(user = 'ada', lines: readonly string[] = [], body: object = {}): Promise<SignedIn> {
    const response = await this.post('/login', { user, ...body }, lines)
    const [set, ...more] = setCookies(response)
    if (response.status !== 200 || set === undefined || more.length > 0) {
      throw new Error(`sign-in answered ${response.status}: ${response.body}`)
    }
    const token = set.pair.slice('__Host-session='.length)
    return { token, cookie: `Cookie: ${set.pair}`, session: JSON.parse(response.body), response }
  }

  /** The user whom the application sees in a request with these headers, or `null`. */
  async userOf(...lines: readonly string[]): Promise<string | null> {
    const { status, body } = await this.send('GET', '/whoami', lines)
    if (status !== 200) throw new Error(`GET /whoami answered ${status}: ${body}`)
    return JSON.parse(body).session?.userId ?? null
  }

  async statusOf(method: string, url: string, ...lines: readonly string[]): Promise<number> {
    return (await this.send(method, url, lines)).status
  }
}
