import { hash, randomBytes } from 'node:crypto'
import cookie from '@fastify/cookie'
import Fastify, { type FastifyRequest } from 'fastify'
import type { LoginBody, PeerApp, PeerSettings, StoreName } from './peer.js'
import { ioredis, pool } from './stores.js'

/** As many bytes as a session of gosesh. */
interface FloorSession {
  readonly userId: string
  readonly createdAt: number
  readonly lastActivityAt: number
  readonly idleDeadline: number
  readonly absoluteDeadline: number
}

interface FloorStore {
  get(id: string): FloorSession | undefined | Promise<FloorSession | undefined>
  set(id: string, session: FloorSession): unknown
  delete(id: string): unknown
  close?(): Promise<unknown>
}

async function redisStore(settings: PeerSettings): Promise<FloorStore> {
  const client = ioredis(settings)
  return {
    async get(id) {
      const value = await client.get(`floor:${id}`)
      return value === null ? undefined : (JSON.parse(value) as FloorSession)
    },
    set: (id, session) =>
      client.set(`floor:${id}`, JSON.stringify(session), 'PXAT', session.absoluteDeadline),
    delete: (id) => client.del(`floor:${id}`),
    close: () => client.quit(),
  }
}

const columns = 'id, "userId", "createdAt", "lastActivityAt", "idleDeadline", "absoluteDeadline"'

async function postgresStore(settings: PeerSettings): Promise<FloorStore> {
  const connections = pool(settings)
  await connections.query(
    `CREATE TABLE IF NOT EXISTS floor (id text PRIMARY KEY, "userId" text, "createdAt" float8,
     "lastActivityAt" float8, "idleDeadline" float8, "absoluteDeadline" float8)`,
  )
  const select = `SELECT ${columns} FROM floor WHERE id = $1`
  return {
    async get(id) {
      const { rows } = await connections.query({ name: 'floor', text: select, values: [id] })
      return rows[0] as FloorSession | undefined
    },
    set: (id, session) => {
      const { userId, createdAt, lastActivityAt, idleDeadline, absoluteDeadline } = session
      const values = [id, userId, createdAt, lastActivityAt, idleDeadline, absoluteDeadline]
      return connections.query(`INSERT INTO floor (${columns}) VALUES ($1, $2, $3, $4, $5, $6)`, values)
    },
    delete: (id) => connections.query('DELETE FROM floor WHERE id = $1', [id]),
    close: () => connections.end(),
  }
}

const openStore: Record<StoreName, (settings: PeerSettings) => Promise<FloorStore>> = {
  memory: async () => new Map<string, FloorSession>(),
  redis: redisStore,
  postgres: postgresStore,
}

type FloorRequest = FastifyRequest & { floorSession: FloorSession | null }

function idOf(request: FastifyRequest): string | undefined {
  const { session: token } = request.cookies
  return token === undefined ? undefined : hash('sha256', token, 'base64url')
}

function live(session: FloorSession | undefined): FloorSession | null {
  return session !== undefined && session.absoluteDeadline > Date.now() ? session : null
}

/** The least that the job takes: a cookie, SHA-256, one look-up, one comparison of times. No session library. */
export async function floorPeer(settings: PeerSettings): Promise<PeerApp> {
  const store = await openStore[settings.store ?? 'memory'](settings)
  const app = Fastify()
  await app.register(cookie)
  app.decorateRequest('floorSession', null)
  app.addHook('onRequest', (request, _reply, done) => {
    const id = idOf(request)
    if (id === undefined) return done()
    const found = store.get(id)
    if (!(found instanceof Promise)) {
      ;(request as FloorRequest).floorSession = live(found)
      return done()
    }
    found.then((session) => {
      ;(request as FloorRequest).floorSession = live(session)
      done()
    }, done)
  })
  app.post<{ Body: LoginBody }>('/login', async (request, reply) => {
    const token = randomBytes(32).toString('base64url')
    const now = Date.now()
    const deadline = now + settings.lifetime
    await store.set(hash('sha256', token, 'base64url'), {
      userId: request.body.userId,
      createdAt: now,
      lastActivityAt: now,
      idleDeadline: deadline,
      absoluteDeadline: deadline,
    })
    reply.setCookie('session', token, { httpOnly: true, sameSite: 'lax', path: '/' })
    return {}
  })
  app.get('/me', async (request, reply) => {
    const { floorSession } = request as FloorRequest
    if (floorSession === null) return reply.code(401).send({})
    return { userId: floorSession.userId }
  })
  app.post('/logout', async (request) => {
    const id = idOf(request)
    if (id !== undefined) await store.delete(id)
    return {}
  })
  return { app, close: async () => await store.close?.() }
}
