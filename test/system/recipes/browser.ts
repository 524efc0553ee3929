import type { FastifyInstance, LightMyRequestResponse } from 'fastify'

/** A browser: it keeps the cookies that it is given. */
export class Browser {
  readonly cookies: Map<string, string>
  readonly #app: FastifyInstance

  /** `planted`: the cookies that it has already, of whomever. */
  constructor(app: FastifyInstance, planted: ReadonlyMap<string, string> = new Map()) {
    this.#app = app
    this.cookies = new Map(planted)
  }

  async send(
    method: 'GET' | 'HEAD' | 'POST' | 'PUT',
    url: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<LightMyRequestResponse> {
    const cookie = Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join('; ')
    const response = await this.#app.inject({
      method,
      url,
      headers: cookie === '' ? headers : { cookie, ...headers },
      ...(body !== undefined && { body }),
    })
    for (const { name, value } of response.cookies) {
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return response
  }

  async get(url: string): Promise<LightMyRequestResponse> {
    return await this.send('GET', url)
  }

  async post(url: string, body: object = {}): Promise<LightMyRequestResponse> {
    return await this.send('POST', url, body)
  }
}
