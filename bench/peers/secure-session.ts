import { randomBytes } from 'node:crypto'
import Fastify, { type FastifyPluginCallback, type FastifyRequest } from 'fastify'
import { requirePackage } from '../harness/load-package.js'
import type { LoginBody, PeerApp, PeerSettings } from './peer.js'

/** The part of its session that is used here. */
interface OwnSession {
  get(key: string): unknown
  set(key: string, value: unknown): void
  delete(): void
}

function sessionOf(request: FastifyRequest): OwnSession {
  return (request as unknown as { session: OwnSession }).session
}

/** The whole session in an encrypted cookie, by a key made beforehand. Nothing is kept, so nothing can be revoked. */
export async function secureSessionPeer({ lifetime }: PeerSettings): Promise<PeerApp> {
  const app = Fastify()
  await app.register(
    requirePackage<FastifyPluginCallback<Record<string, unknown>>>('@fastify/secure-session'),
    {
      key: randomBytes(32),
      expiry: lifetime / 1_000,
      cookie: { path: '/', httpOnly: true, sameSite: 'lax' },
    },
  )
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
    sessionOf(request).delete()
    return {}
  })
  return { app }
}
