import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import Fastify, { type FastifyRequest } from 'fastify'
import gosesh, { type ActivityTracker, cookieCredential, type SignInOptions } from '../../../lib/index.js'
import { openBackend } from './backend.js'
import { SteppedClock } from './client.js'
import { faultyStore, StoreFaults } from './faulty-store.js'
import type { AppSettings, Command, Measurement, Reply, Report, Request } from './protocol.js'

/** One node of an application, told what to do by the process that started it, and ended with that. */
const settings: AppSettings = JSON.parse(process.env.APP_SETTINGS ?? '{}')
const { flushInterval, flushTimeout, maxBatchSize } = settings

const clock = new SteppedClock()
const faults = new StoreFaults()
const backend = await openBackend(settings.store, settings)
let activeRequests = 0

const app = Fastify()
app.addHook('onClose', () => backend.close())
app.register(gosesh, {
  store: faultyStore(backend.store, faults),
  credentials: [
    cookieCredential({ idleTimeout: settings.idleTimeout, absoluteTimeout: settings.absoluteTimeout }),
  ],
  storeTimeout: settings.storeTimeout,
  activityTracking: { flushInterval, flushTimeout, maxBatchSize },
  ...(settings.store === 'redis' ? {} : { sweepInterval: settings.sweepInterval }),
  clock,
})
app.addHook('preHandler', async (request) => {
  const { session: policy } = request.routeOptions.config
  const counts = typeof policy !== 'object' || policy.activity !== false
  if (request.session !== null && counts) activeRequests++
})

async function idOf(request: FastifyRequest): Promise<string> {
  return request.requireSession().id
}

const metadata =
  settings.metadataBytes === 0 ? {} : { metadata: { note: 'x'.repeat(settings.metadataBytes) } }
app.post<{ Body: SignInOptions & { user: string } }>('/login', async (request, reply) => {
  const { user, ...options } = request.body
  const session = await reply.signIn(user, { ...metadata, ...options })
  return session.id
})
app.get('/me', { config: { session: { required: true } } }, idOf)
app.post('/note', { config: { session: { required: true } } }, idOf)
app.get('/poll', { config: { session: { required: true, activity: false } } }, idOf)
app.get('/open', async (request) => request.session?.id ?? 'nobody')
app.get('/health', { config: { session: false } }, async () => 'ok')
app.post('/logout', { config: { session: { activity: false } } }, async (request, reply) => {
  await reply.signOut()
  return request.session?.id ?? 'nobody'
})
app.post('/logout-everywhere', { config: { session: { activity: false } } }, async (request, reply) => {
  await reply.signOut({ everywhere: true })
  return request.session?.id ?? 'nobody'
})

async function measure(): Promise<Measurement> {
  for (let i = 0; i < 4; i++) {
    await delay(50)
    globalThis.gc?.()
  }
  const handles: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) {
    // Timers of a moment, such as the one for the Date header, come and go.
    if (kind !== 'Timeout' && kind !== 'Immediate') handles[kind] = (handles[kind] ?? 0) + 1
  }
  const { heapUsed, rss } = process.memoryUsage()
  return { heapBytes: heapUsed, rssBytes: rss, handles }
}

async function close(): Promise<Report> {
  const tracker = app.gosesh.activityTracker as ActivityTracker
  await app.close()
  return { stats: tracker.stats, activeRequests }
}

const actions: {
  [K in Command['kind']]: (
    command: Extract<Command, { kind: K }>,
  ) => Promise<Measurement | Report | null> | null
} = {
  stepClock({ offset }) {
    clock.offset = offset
    return null
  },
  failEvery({ calls }) {
    faults.failEvery = calls
    return null
  },
  dieInFlush() {
    faults.dieInFlush = (age) => {
      process.send?.({ dying: { at: clock.now(), ...age } } satisfies Reply)
      // What the batch was to write has not been sent yet, or has; nobody knows.
      setImmediate(() => process.kill(process.pid, 'SIGKILL'))
    }
    return null
  },
  limitPages({ pages }) {
    backend.limitPages(pages)
    return null
  },
  measure,
  close,
}

function send(reply: Reply): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(reply, () => resolve())
  })
}

function orphaned(): void {
  process.kill(process.pid, 'SIGKILL')
}

process.on('disconnect', orphaned)
process.on('message', async ({ id, command }: Request) => {
  const act = actions[command.kind] as (command: Command) => Promise<Measurement | Report | null> | null
  await send({ id, result: await act(command) })
  if (command.kind !== 'close') return
  process.removeListener('disconnect', orphaned)
  process.disconnect()
})

await app.listen({ port: settings.listenOn, host: '127.0.0.1' })
await send({ listening: (app.server.address() as AddressInfo).port })
