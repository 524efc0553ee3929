import cookie from '@fastify/cookie'
import Fastify, { type FastifyPluginCallback, type FastifyRequest } from 'fastify'
import type pg from 'pg'
import { loadPackage, requirePackage } from '../harness/load-package.js'
import { type LoginBody, type PeerApp, type PeerSettings, secret } from './peer.js'
import { nodeRedis, pool } from './stores.js'

/** The part of its session that is used here. */
interface OwnSession {
  userId?: string
  count?: number
  get(key: string): unknown
  set(key: string, value: unknown): void
  regenerate(): Promise<void>
  destroy(): Promise<void>
}

interface OpenStore {
  /** `undefined`: its own store in memory. */
  readonly store: unknown
  close(): Promise<unknown>
}

async function openRedis(settings: PeerSettings): Promise<OpenStore> {
  const { RedisStore } = await loadPackage<{ RedisStore: new (options: object) => unknown }>('connect-redis')
  const client = await nodeRedis(settings)
  return { store: new RedisStore({ client, prefix: 'fastify-session:' }), close: () => client.close() }
}

async function openPostgres(settings: PeerSettings): Promise<OpenStore> {
  const connect =
    requirePackage<(session: unknown) => new (options: object) => { close(): unknown }>('connect-pg-simple')
  const PostgresStore = connect(requirePackage('express-session'))
  const connections: pg.Pool = pool(settings)
  const store = new PostgresStore({
    pool: connections,
    tableName: 'user_sessions',
    createTableIfMissing: true,
  })
  return {
    store,
    async close() {
      await store.close()
      await connections.end()
    },
  }
}

async function openStore(settings: PeerSettings): Promise<OpenStore> {
  if (settings.store === 'redis') return await openRedis(settings)
  if (settings.store === 'postgres') return await openPostgres(settings)
  return { store: undefined, close: async () => {} }
}

function sessionOf(request: FastifyRequest): OwnSession {
  return (request as unknown as { session: OwnSession }).session
}

/** @fastify/session with its memory store, connect-redis or connect-pg-simple, as their READMEs set them up. */
export async function fastifySessionPeer(settings: PeerSettings): Promise<PeerApp> {
  const { store, close } = await openStore(settings)
  const app = Fastify()
  await app.register(cookie)
  await app.register(requirePackage<FastifyPluginCallback<Record<string, unknown>>>('@fastify/session'), {
    secret,
    ...(store === undefined ? {} : { store }),
    // Nothing is kept for a visitor who has not signed in.
    saveUninitialized: false,
    rolling: settings.rolling ?? true,
    cookie: { secure: false, httpOnly: true, sameSite: 'lax', maxAge: settings.lifetime },
  })
  app.post<{ Body: LoginBody }>('/login', async (request) => {
    await sessionOf(request).regenerate()
    sessionOf(request).userId = request.body.userId
    return {}
  })
  app.get('/me', async (request, reply) => {
    const { userId } = sessionOf(request)
    if (userId === undefined) return reply.code(401).send({})
    return { userId }
  })
  app.get('/data', async (request) => ({ count: sessionOf(request).count ?? 0 }))
  app.get('/count', async (request) => {
    const session = sessionOf(request)
    session.count = (session.count ?? 0) + 1
    return { count: session.count }
  })
  app.get<{ Params: { key: string } }>('/set/:key', async (request) => {
    sessionOf(request).set(request.params.key, 1)
    return {}
  })
  app.get('/all', async (request) => ({ a: sessionOf(request).get('a'), b: sessionOf(request).get('b') }))
  app.post('/logout', async (request) => {
    await sessionOf(request).destroy()
    return {}
  })
  return { app, close }
}
