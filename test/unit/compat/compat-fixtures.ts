import { setTimeout as wait } from 'node:timers/promises'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RouteHandlerMethod,
} from 'fastify'
import type { Test } from 'tap'
import { sessionCompat } from '../../../lib/compat/index.js'
import gosesh, { type GoseshOptions, type Session } from '../../../lib/index.js'
import type { CompatSessionCalls } from '../../../types/compat.js'
import { WatchedStore } from '../../tools/store.js'

/** A request as an application with `gosesh/compat` types it. */
type CompatRequest = Omit<FastifyRequest, 'session'> & {
  readonly session: Omit<CompatSessionCalls, 'get' | 'set'> & {
    get(key: string): unknown
    set(key: string, value: unknown): void
    [key: string]: unknown
  }
  readonly signInSession: Session | null
}

type Handler = (request: CompatRequest, reply: FastifyReply) => unknown

const writes = ['createSession', 'writeData', 'updateSession', 'deleteSession'] as const

/** An application with `gosesh/compat` on a store whose writes take a moment, and a browser that uses it. */
export function setUp(t: Test, options: GoseshOptions = {}) {
  const store = new WatchedStore()
  for (const method of writes) {
    store.on(method, async (proceed) => {
      await wait(2)
      return await proceed()
    })
  }
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { store, decorateAs: 'signInSession', visitors: {}, ...options })
  app.register(sessionCompat)
  const handlers: Handler[] = []
  const handle = async (request: FastifyRequest, reply: FastifyReply) =>
    await handlers[Number((request.query as { n?: string }).n)]?.(request as never, reply)
  addWork(app, handle as RouteHandlerMethod)
  const jar: Record<string, string> = {}
  /** Sends a request that is answered by `handler`, as the browser. */
  const run = async (
    handler: Handler,
    { url = '/work', method = 'POST' as 'GET' | 'POST' | 'HEAD', headers = {} } = {},
  ) => {
    const n = handlers.push(handler) - 1
    const response = await app.inject({ method, url: `${url}?n=${n}`, cookies: jar, headers })
    for (const { name, value } of response.cookies) {
      if (value === '') delete jar[name]
      else jar[name] = value
    }
    return response
  }
  /** What is stored for the browser. */
  const stored = async () => (await run((request) => request.session.data(), { method: 'GET' })).json()
  return { app, store, jar, run, stored }
}

function addWork(app: FastifyInstance, handler: RouteHandlerMethod): void {
  app.get('/work', handler)
  app.post('/work', handler)
  app.get('/off', { config: { session: false } }, handler)
  app.get('/required', { config: { session: { required: true } } }, handler)
}

/** Those of the store's calls that write. */
export function writesOf({ counts }: WatchedStore): object {
  return Object.fromEntries(Object.entries(counts).filter(([name]) => !/^(?:get|read)/.test(name)))
}
