import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'

/** A source of time that the test can step, as the application's own can be. */
export class SteppedClock {
  offset = 0

  now(): number {
    return Date.now() + this.offset
  }
}

export interface Asking {
  readonly method?: 'GET' | 'POST'
  readonly path: string
  readonly cookie?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: object
}

/** Times are milliseconds of the client's clock. */
export interface Answer {
  /** 0 where there was none. */
  readonly status: number
  readonly body: string
  /** The `name=value` of the cookie that it sets, or `null`. */
  readonly setCookie: string | null
  readonly sentAt: number
  readonly answeredAt: number
  readonly ms: number
}

/** Longer than any answer may take. */
const patienceMs = 30_000

/** Real HTTP requests to one port, over connections that are kept. */
export class Client {
  readonly clock: SteppedClock
  readonly #port: number
  #agent = new Agent({ keepAlive: true })

  constructor(port: number, clock = new SteppedClock()) {
    this.#port = port
    this.clock = clock
  }

  async ask(asking: Asking): Promise<Answer> {
    const sentAt = this.clock.now()
    const started = performance.now()
    const response = await this.#send(asking).catch(() => null)
    const answeredAt = this.clock.now()
    const ms = performance.now() - started
    if (response === null) return { status: 0, body: '', setCookie: null, sentAt, answeredAt, ms }
    return { ...response, sentAt, answeredAt, ms }
  }

  async #send({ method = 'GET', path, cookie, headers, body }: Asking) {
    const payload = body === undefined ? null : JSON.stringify(body)
    const sent = request({
      agent: this.#agent,
      host: '127.0.0.1',
      port: this.#port,
      method,
      path,
      timeout: patienceMs,
      headers: {
        ...headers,
        ...(cookie === undefined ? {} : { cookie }),
        ...(payload === null ? {} : { 'content-type': 'application/json' }),
      },
    })
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve)
      sent.on('error', reject)
      sent.once('timeout', () => sent.destroy(new Error('no answer')))
      sent.end(payload ?? undefined)
    })
    const setCookie = response.headers['set-cookie']?.[0]?.split(';')[0] ?? null
    return { status: response.statusCode ?? 0, body: await text(response), setCookie }
  }

  /** Closes the connections; the next request opens a new one. */
  disconnect(): void {
    this.#agent.destroy()
    this.#agent = new Agent({ keepAlive: true })
  }
}
