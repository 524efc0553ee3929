import { hash, randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import type { Session, SessionId } from '../../lib/index.js'
import type { LoginBody, PeerApp, PeerSettings } from './peer.js'

/** What gosesh promises beyond the floor (floor.ts), each with all before it. */
export const parts = ['headers', 'session', 'activity'] as const
export type Part = (typeof parts)[number]

interface Stored {
  readonly userId: string
  readonly createdAt: number
  readonly idleTimeout: number
  readonly absoluteDeadline: number
  lastActivityAt: number
}

type PartRequest = FastifyRequest & { found: Stored | Session | null }

const halfAnHour = 30 * 60_000
const day = 24 * 3_600_000

/** An object of the request's own, so that a handler that changes it changes nothing that is stored. */
function toSession(id: string, stored: Stored, lastActivityAt: number): Session {
  const { userId, createdAt, idleTimeout, absoluteDeadline } = stored
  return {
    id: id as SessionId,
    userId,
    createdAt: new Date(createdAt),
    authenticatedAt: new Date(createdAt),
    factors: [],
    lastActivityAt: new Date(lastActivityAt),
    idleTimeout,
    idleDeadline: new Date(Math.min(absoluteDeadline, lastActivityAt + idleTimeout)),
    absoluteDeadline: new Date(absoluteDeadline),
    metadata: null,
    deviceBound: false,
  }
}

/** The floor, with what is promised up to that part, written by hand for this one case. */
export async function floorWith(part: Part, lifetime = day): Promise<FastifyInstance> {
  const [withSession, withActivity] = [part !== 'headers', part === 'activity']
  const sessions = new Map<string, Stored>()
  const pending = new Map<string, { at: number }>()
  const app = Fastify()
  await app.register(cookie)
  app.decorateRequest('found', null)
  app.addHook('onRequest', (request, _reply, done) => {
    const { session: token } = request.cookies
    if (token === undefined) return done()
    const id = hash('sha256', token, 'base64url')
    const stored = sessions.get(id)
    if (stored === undefined) return done()
    const now = Date.now()
    const active = withActivity ? pending.get(id) : undefined
    const lastActivityAt = active?.at ?? stored.lastActivityAt
    if (now >= stored.absoluteDeadline || now >= lastActivityAt + stored.idleTimeout) return done()
    ;(request as PartRequest).found = withSession ? toSession(id, stored, lastActivityAt) : stored
    if (active !== undefined) active.at = now
    else if (withActivity) pending.set(id, { at: now })
    done()
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    if ((request as PartRequest).found !== null) {
      reply.header('cache-control', 'no-store')
      reply.header('vary', 'Cookie')
    }
    done(null, payload)
  })
  app.post<{ Body: LoginBody }>('/login', async (request, reply) => {
    const token = randomBytes(32).toString('base64url')
    const now = Date.now()
    const { userId } = request.body
    const lifetimes = { idleTimeout: Math.min(lifetime, halfAnHour), absoluteDeadline: now + lifetime }
    sessions.set(hash('sha256', token, 'base64url'), {
      userId,
      createdAt: now,
      lastActivityAt: now,
      ...lifetimes,
    })
    reply.setCookie('session', token, { httpOnly: true, sameSite: 'lax', path: '/' })
    return {}
  })
  app.get('/me', async (request, reply) => {
    const { found } = request as PartRequest
    if (found === null) return reply.code(401).send({})
    return { userId: found.userId }
  })
  app.post('/logout', async (request) => {
    const { session: token } = request.cookies
    if (token !== undefined) sessions.delete(hash('sha256', token, 'base64url'))
    return {}
  })
  return app
}

/** The floor with all of it. */
export async function fullFloorPeer({ lifetime }: PeerSettings): Promise<PeerApp> {
  return { app: await floorWith('activity', lifetime) }
}
