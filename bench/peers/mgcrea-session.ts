import cookie from '@fastify/cookie'
import Fastify, { type FastifyPluginAsync, type FastifyRequest } from 'fastify'
import { loadPackage } from '../harness/load-package.js'
import { type LoginBody, type PeerApp, type PeerSettings, secret } from './peer.js'

/** The part of its session that is used here. */
interface OwnSession {
  get(key: string): unknown
  set(key: string, value: unknown): void
  destroy(): Promise<void>
}

function sessionOf(request: FastifyRequest): OwnSession {
  return (request as unknown as { session: OwnSession }).session
}

/** @mgcrea/fastify-session with its store in memory and its default signature, an HMAC. */
export async function mgcreaSessionPeer({ lifetime }: PeerSettings): Promise<PeerApp> {
  const { default: plugin } = await loadPackage<{ default: FastifyPluginAsync<Record<string, unknown>> }>(
    '@mgcrea/fastify-session',
  )
  const app = Fastify()
  await app.register(cookie)
  await app.register(plugin, {
    secret,
    saveUninitialized: false,
    cookie: { maxAge: lifetime / 1_000, secure: false, httpOnly: true, sameSite: 'lax' },
  })
  app.post<{ Body: LoginBody }>('/login', async (request) => {
    sessionOf(request).set('userId', request.body.userId)
    return {}
  })
  app.get('/me', async (request, reply) => {
    const userId = sessionOf(request).get('userId')
    if (userId === undefined) return reply.code(401).send({})
    return { userId }
  })
  app.post('/logout', async (request) => {
    await sessionOf(request).destroy()
    return {}
  })
  return { app }
}
