import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import Fastify from 'fastify'
import gosesh, { type ActivityTracker, cookieCredential } from '../../lib/index.js'
import { LoopHold } from '../harness/loop-hold.js'
import { answerCalls, argument } from '../harness/program.js'
import { idOf, tokenOf } from '../harness/seed.js'
import { openSeededStore, type SeededStoreSettings } from '../harness/seeded-store.js'

interface Settings extends SeededStoreSettings {
  readonly flushInterval?: number
}

/** No flush comes by itself while a section runs, and yet in time for a session that has just begun: none is extended. */
const defaultFlushInterval = 12 * 60_000
const batchSize = 5_000

const settings = argument<Settings>()
const { store, seed, writeByHand, close } = await openSeededStore(settings)
const app = Fastify()
await app.register(gosesh, {
  store,
  credentials: [cookieCredential({ name: 'session', secure: false })],
  activityTracking: { flushInterval: settings.flushInterval ?? defaultFlushInterval, flushTimeout: 60_000 },
})
app.get('/me', { config: { session: { required: true } } }, async (request) => {
  return { userId: request.requireSession().userId }
})
await app.ready()
const tracker = app.gosesh.activityTracker as ActivityTracker

/** How long the work took, and how long it held the event loop at a time, in milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<{ ms: number; heldMs: number }> {
  const hold = new LoopHold()
  // It counts from one tick of its own to the next, so there must be one before the work and one after it.
  await wait(5)
  hold.reset()
  const started = performance.now()
  await work()
  const ms = performance.now() - started
  await wait(5)
  return { ms, heldMs: hold.stop() }
}

answerCalls({
  async listen() {
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  },
  seed,
  /** Cookies of so many sessions, spread over the first `count`. */
  cookies(count: number, sample: number) {
    const step = Math.max(1, Math.floor(count / sample))
    return Array.from({ length: Math.min(count, sample) }, (_, i) => `session=${tokenOf(i * step)}`)
  },
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  /** Before what is timed, and not while requests are: it holds the event loop. */
  collectGarbage() {
    globalThis.gc?.()
  },
  heap() {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  },
  /** Makes the first `count` sessions pending, in turns of the event loop. */
  async recordAll(count: number) {
    for (let i = 0; i < count; i++) {
      tracker.recordActivity(idOf(i), new Date())
      if (i % 1_000 === 999) await nextTurn()
    }
  },
  flush: () => timed(() => tracker.flush()),
  async byHand(count: number) {
    const ids = Array.from({ length: count }, (_, i) => idOf(i))
    // Before what the next flush writes, so that it finds every session to be moved.
    const at = new Date(Date.now() - 500)
    return timed(async () => {
      for (let i = 0; i < ids.length; i += batchSize) {
        await writeByHand(ids.slice(i, i + batchSize), at)
        await nextTurn()
      }
    })
  },
  /** Only the batches of a flush, as every store is given them: maps of ids and dates. */
  async batches(count: number) {
    const at = Date.now()
    const pending = new Map(Array.from({ length: count }, (_, i) => [idOf(i), { at }]))
    return timed(async () => {
      let batch = new Map<string, Date>()
      for (const [id, session] of pending) {
        if (batch.size === batchSize) batch = new Map()
        batch.set(id, new Date(session.at))
      }
    })
  },
  stats: () => tracker.stats,
  async close() {
    await app.close()
    await close()
  },
})
