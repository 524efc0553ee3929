import type { FastifyInstance } from 'fastify'
import type { SelfExpiring, SessionStore } from '../../types/store.js'
import { ActivityFlusher, PublicTracker } from '../activity/flusher.js'
import { hasCapability, requireCapability } from '../core/capabilities.js'
import { isPromise } from '../core/timing.js'
import { checkLogger, checkStore, type Settings } from '../options/options.js'
import { StoreCalls } from '../session/bounded-store.js'
import { SessionEvents } from '../session/events.js'
import type { Runtime } from '../session/runtime.js'
import { Sweeper } from '../session/sweeper.js'
import { MemoryStore } from '../stores/memory/store.js'
import { checkSchema } from './schema-check.js'

const minSweepGrace = 5 * 60_000
const defaultSweepInterval = 10 * 60_000

/**
 * Milliseconds in which activity is in the store for certain, while the store answers, counted from the arrival of the
 * request: it is recorded once the session has been read.
 */
function flushMargin({ activityTracking, storeTimeout }: Settings): number {
  if (activityTracking === null) return 0
  return 2 * activityTracking.flushInterval + activityTracking.flushTimeout + storeTimeout
}

/** The lifetimes of `app.gosesh.createSession`: of the first credential that its client keeps itself, else of the first. */
function defaultLifetime({ credentials }: Settings): Runtime['defaultLifetime'] {
  const found = credentials.find((credential) => credential.write === undefined) ?? credentials[0]
  const { idleTimeout, absoluteTimeout } = found as NonNullable<typeof found>
  return { idleTimeout, absoluteTimeout }
}

/** Builds what sessions are handled with, starts what runs by itself, and stops it. */
export class Lifecycle {
  readonly runtime: Runtime
  readonly #settings: Settings
  #flusher: ActivityFlusher | null = null
  #sweeper: Sweeper | null = null
  #sweepInterval: number | null = null

  constructor(app: FastifyInstance, settings: Settings) {
    const { store, clock, refreshInterval, notBefore, maxAge, maxSessionsPerUser } = settings
    this.#settings = settings
    // Awaited in `onReady`; a rejection until then is not an unhandled one.
    if (isPromise(store)) store.then(undefined, () => {})
    this.runtime = {
      clock,
      refreshInterval,
      defaultLifetime: defaultLifetime(settings),
      policy: { notBefore, maxAge, maxSessionsPerUser },
      events: new SessionEvents(() => this.runtime.log),
      log: app.log,
      calls: typeof store === 'function' || isPromise(store) ? null : new StoreCalls(store, settings),
      tracking: null,
    }
  }

  /** Milliseconds; `null` if nothing is swept, and until the store is known. */
  get sweepInterval(): number | null {
    return this.#sweepInterval
  }

  /** `onReady`: every plugin has loaded, so what the options ask the instance for is there. */
  async start(app: FastifyInstance): Promise<void> {
    const { store, logger } = this.#settings
    this.runtime.log = checkLogger(typeof logger === 'function' ? logger(app) : logger)
    this.runtime.calls ??= new StoreCalls(
      checkStore(await (typeof store === 'function' ? store(app) : store)),
      this.#settings,
    )
    const { calls } = this.runtime
    await checkSchema(calls, this.runtime.log)
    if (this.#settings.maxSessionsPerUser !== null) {
      requireCapability(calls.store, 'listUserSessions', 'The option maxSessionsPerUser')
    }
    this.#warnOfNotBefore()
    this.#warnOfMemory(calls.store)
    // Both are built before either is started: what lacks a capability leaves no timer behind.
    this.#flusher = this.#buildFlusher(calls)
    this.#sweeper = this.#buildSweeper(calls)
    this.#flusher?.start()
    this.#sweeper?.start()
  }

  /** `onClose`: the last flush. Never rejects. */
  async stop(): Promise<void> {
    await Promise.all([this.#flusher?.stop(), this.#sweeper?.stop()])
  }

  #buildFlusher({ store }: StoreCalls): ActivityFlusher | null {
    const { activityTracking, clock } = this.#settings
    if (activityTracking === null) return null
    const recorder = requireCapability(store, 'batchRecordActivity', 'The option activityTracking')
    const flusher = new ActivityFlusher(recorder, activityTracking, clock, this.runtime.log)
    const margin = flushMargin(this.#settings)
    this.runtime.tracking = { tracker: new PublicTracker(flusher), pending: flusher, margin }
    this.#warnOfShortIdleTimeouts(margin)
    this.#warnOfShortGrace(recorder, margin)
    return flusher
  }

  #buildSweeper(calls: StoreCalls): Sweeper | null {
    const { sweepInterval, clock, storeTimeout } = this.#settings
    if (sweepInterval === null) return null
    if (sweepInterval === undefined && !hasCapability(calls.store, 'deleteExpiredSessions')) return null
    const store = requireCapability(calls.store, 'deleteExpiredSessions', 'The option sweepInterval')
    const sweep = {
      interval: sweepInterval ?? defaultSweepInterval,
      grace: Math.max(minSweepGrace, flushMargin(this.#settings)),
      stopTimeout: storeTimeout,
    }
    this.#sweepInterval = sweep.interval
    return new Sweeper(new StoreCalls(store, this.#settings), sweep, clock, this.runtime.log)
  }

  #warnOfNotBefore(): void {
    const { notBefore, clock } = this.#settings
    if (notBefore <= clock.now()) return
    const details = { notBefore: new Date(notBefore).toISOString() }
    this.runtime.log.warn(details, 'notBefore is in the future: until then every session is refused')
  }

  #warnOfMemory(store: SessionStore): void {
    if (!(store instanceof MemoryStore) || process.env.NODE_ENV !== 'production') return
    this.runtime.log.warn(
      {},
      'sessions are in the memory of this process: a restart ends them, and other processes do not see them; set the option store',
    )
  }

  #warnOfShortGrace({ expiryGrace }: SessionStore & Partial<SelfExpiring>, margin: number): void {
    if (expiryGrace === undefined || expiryGrace >= margin) return
    this.runtime.log.warn(
      { expiryGrace, margin },
      'the store forgets sessions sooner after their deadline than a flush may come; raise its grace to 2 × flushInterval + flushTimeout + storeTimeout',
    )
  }

  #warnOfShortIdleTimeouts(margin: number): void {
    for (const { name, idleTimeout } of this.#settings.credentials) {
      if (idleTimeout === null || idleTimeout > margin) continue
      this.runtime.log.warn(
        { credential: name, idleTimeout, margin },
        'idleTimeout is within 2 × flushInterval + flushTimeout + storeTimeout, so every request writes to the store; shorten flushInterval',
      )
    }
  }
}
