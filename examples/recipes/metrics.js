// @ts-check
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/**
 * What gosesh does, for Prometheus, at `GET /metrics`. Keep that route from the outside world.
 *
 * @param {import('fastify').FastifyInstance} app
 */
export async function metrics(app) {
  const registry = new Registry()
  const registers = [registry]
  const seconds = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2]
  const verifications = new Histogram({
    name: 'gosesh_verify_seconds',
    help: 'Time to judge a session token, by outcome',
    labelNames: ['outcome'],
    buckets: seconds,
    registers,
  })
  const signIns = new Counter({
    name: 'gosesh_sign_ins_total',
    help: 'Sessions begun, and those that could not be, by the code of the error',
    labelNames: ['error'],
    registers,
  })
  const ends = new Counter({
    name: 'gosesh_session_ends_total',
    help: 'Sessions that this process ended, found ended or heard of',
    labelNames: ['reason'],
    registers,
  })
  const refusals = new Counter({
    name: 'gosesh_cross_origin_refusals_total',
    help: 'Requests refused because a page of another origin sent them',
    registers,
  })
  const verified = new Counter({
    name: 'gosesh_verified_total',
    help: 'Session tokens that were good, by whether their session is bound to a device',
    labelNames: ['device_bound'],
    registers,
  })
  const deviceKeys = new Counter({
    name: 'gosesh_device_keys_total',
    help: 'Registrations and refreshes of keys of devices, and why they were refused',
    labelNames: ['request', 'outcome', 'reason'],
    registers,
  })
  const unproved = new Counter({
    name: 'gosesh_device_refusals_total',
    help: 'Requests of sessions that are bound to a device which came without its proof',
    labelNames: ['reason'],
    registers,
  })
  const flushes = new Histogram({
    name: 'gosesh_flush_seconds',
    help: 'Time to write a batch of activity, and whether it failed',
    labelNames: ['failed'],
    buckets: seconds,
    registers,
  })
  new Gauge({
    name: 'gosesh_pending_sessions',
    help: 'Sessions whose activity is not in the store yet',
    registers,
    collect() {
      this.set(app.gosesh.activityTracker?.pendingCount ?? 0)
    },
  })

  if (app.gosesh.policy.sessionCache !== null) cacheMetrics(app, registers)

  /** @param {import('gosesh').VerifyMessage} message */
  const onVerify = ({ outcome, deviceBound, durationMs }) => {
    verifications.observe({ outcome }, durationMs / 1_000)
    if (outcome === 'verified') verified.inc({ device_bound: String(deviceBound) })
  }
  /** @param {'registration' | 'refresh'} request */
  const onDeviceKey =
    (request) =>
    /** @param {import('gosesh').DeviceKeyMessage} message */
    ({ outcome, reason }) =>
      deviceKeys.inc({ request, outcome, reason: reason ?? '' })
  /** @param {import('gosesh').DeviceRefusalMessage} message */
  const onDeviceRefusal = ({ reason }) => unproved.inc({ reason })
  /** @param {import('gosesh').SignInMessage} message */
  const onSignIn = ({ error }) => signIns.inc({ error: error === null ? '' : (error.code ?? error.name) })
  /** @param {import('gosesh').SessionEnd} message */
  const onSessionEnd = ({ reason }) => ends.inc({ reason })
  /** @param {import('gosesh').FlushMessage} message */
  const onFlush = ({ error, durationMs }) =>
    flushes.observe({ failed: String(error !== null) }, durationMs / 1_000)

  /** @type {[string, (message: any) => void][]} */
  const subscriptions = [
    ['gosesh:verify', onVerify],
    ['gosesh:sign-in', onSignIn],
    ['gosesh:session-end', onSessionEnd],
    ['gosesh:cross-origin', () => refusals.inc()],
    ['gosesh:device-registration', onDeviceKey('registration')],
    ['gosesh:device-refresh', onDeviceKey('refresh')],
    ['gosesh:device-refusal', onDeviceRefusal],
    ['gosesh:flush', onFlush],
  ]
  for (const [channel, listener] of subscriptions) subscribe(channel, listener)
  app.addHook('onClose', async () => {
    for (const [channel, listener] of subscriptions) unsubscribe(channel, listener)
  })

  app.get('/metrics', { config: { session: false } }, async (_request, reply) => {
    reply.type(registry.contentType)
    return await registry.metrics()
  })
}

/**
 * What the option `sessionCache` does.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {Registry[]} registers
 */
function cacheMetrics(app, registers) {
  /** @type {[string, string, keyof import('gosesh').SessionCacheStats, number][]} */
  const gauges = [
    ['gosesh_cache_sessions', 'Sessions in memory', 'size', 1],
    ['gosesh_cache_hits', 'Requests that found their session in memory', 'hits', 1],
    ['gosesh_cache_misses', 'Requests that might have, and read the store', 'misses', 1],
    ['gosesh_cache_proven_age_seconds', 'Time since the log of revocations was read', 'provenAgeMs', 1_000],
  ]
  for (const [name, help, key, divisor] of gauges) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set((app.gosesh.cacheStats?.[key] ?? Number.NaN) / divisor)
      },
    })
  }
}
