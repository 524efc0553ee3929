import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import formbody from '@fastify/formbody'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { sessionCompat } from '../../../lib/compat/index.js'
import gosesh, { type GoseshOptions } from '../../../lib/index.js'
import { WatchedStore } from '../../tools/store.js'
import { Browser } from '../oauth/browser.js'

const require = createRequire(import.meta.url)
// Required and not imported, because their types declare `request.session` too.
export const flash = require('@fastify/flash')
export const { Authenticator } = require('@fastify/passport')

/** A memory store that answers as late as one on another machine: what does not wait for it shows. */
export function slowStore(): WatchedStore {
  const store = new WatchedStore()
  for (const method of ['getSession', 'readData', 'createSession', 'writeData', 'updateSession'] as const) {
    store.on(method, async (proceed) => {
      await wait(3)
      return await proceed()
    })
  }
  return store
}

/** Every plugin with a session of its own is replaced by these two lines. */
export function registerSessions(app: FastifyInstance, options: GoseshOptions = {}): void {
  app.register(gosesh, { store: slowStore(), decorateAs: 'signInSession', visitors: {}, ...options })
  app.register(sessionCompat)
}

/** A listening application, and what sends requests to it. */
export async function listen(t: Test, build: (app: FastifyInstance) => void, options: GoseshOptions = {}) {
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.register(formbody)
  registerSessions(app, options)
  build(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  return { app, url, open: () => new Client(url) }
}

/** A browser that uses one application. */
export class Client {
  readonly #browser = new Browser()
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  get cookies(): Map<string, string> {
    return this.#browser.cookies(this.#url)
  }

  async get(path: string): Promise<{ status: number; body: string; location: string | null }> {
    return await answerOf(await this.#browser.get(new URL(path, this.#url).href))
  }

  async post(
    path: string,
    form: Record<string, string> = {},
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: string; location: string | null }> {
    return await answerOf(await this.#browser.post(this.#url + path, form, headers))
  }
}

async function answerOf(response: Response) {
  const { status, headers } = response
  return { status, body: await response.text(), location: headers.get('location') }
}
