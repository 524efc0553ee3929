import Fastify from 'fastify'
import gosesh, {
  type ActivityTracker,
  cookieCredential,
  MemoryStore,
  type SessionStore,
} from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { RedisStore } from '../../lib/stores/redis/index.js'
import { deviceBinding, FakeDevice } from '../../test/tools/device-key.js'
import type { LoginBody, PeerApp, PeerSettings } from './peer.js'
import { ioredis, pool } from './stores.js'

interface OpenStore {
  readonly store: SessionStore
  close(): Promise<unknown>
}

async function openStore(settings: PeerSettings): Promise<OpenStore> {
  if (settings.store === 'redis') {
    const client = ioredis(settings)
    return { store: new RedisStore(client), close: () => client.quit() }
  }
  if (settings.store === 'postgres') {
    const connections = pool(settings)
    const store = new PostgresStore(connections)
    await store.migrate()
    return { store, close: () => connections.end() }
  }
  return { store: new MemoryStore(), close: async () => {} }
}

const halfAnHour = 30 * 60_000

/** As the README of gosesh sets it up. */
export async function goseshPeer(settings: PeerSettings): Promise<PeerApp> {
  const { store, close } = await openStore(settings)
  const { deviceBinding: bound = false } = settings
  const cookie = cookieCredential({
    ...(!bound && { name: 'session', secure: false }),
    idleTimeout: Math.min(settings.lifetime, halfAnHour),
    absoluteTimeout: settings.lifetime,
  })
  const app = Fastify()
  app.register(gosesh, {
    store,
    credentials: [cookie],
    activityTracking: settings.tracking ? {} : false,
    sessionCache: settings.sessionCache ?? false,
    deviceBinding: bound && deviceBinding,
  })
  app.post<{ Body: LoginBody }>('/login', async (request, reply) => {
    await reply.signIn(request.body.userId)
    return {}
  })
  app.get('/me', { config: { session: { required: true } } }, async (request) => {
    return { userId: request.requireSession().userId }
  })
  app.get('/public', async () => ({ open: true }))
  app.get('/data', async ({ sessionData }) => ({ count: (await sessionData.get('count')) ?? 0 }))
  app.get('/count', async ({ sessionData }) => ({
    count: await sessionData.update('count', (count = 0) => Number(count) + 1),
  }))
  app.get<{ Params: { key: string } }>('/set/:key', async ({ sessionData, params }) => {
    await sessionData.set(params.key, 1)
    return {}
  })
  app.get('/all', async ({ sessionData }) => await sessionData.all())
  app.post('/logout', async (_request, reply) => {
    await reply.signOut()
    return {}
  })
  const flush = async (): Promise<void> =>
    await (app.gosesh.activityTracker as ActivityTracker | null)?.flush()
  const cacheCounts = () => {
    const { hits = 0, misses = 0 } = app.gosesh.cacheStats ?? {}
    return [hits, misses] as const
  }
  const signIn = async (userId: string): Promise<string> => {
    const device = await FakeDevice.create(app)
    await device.bind({ userId } as object)
    return device.cookie
  }
  return { app, flush, cacheCounts, close, ...(bound && { signIn }) }
}
