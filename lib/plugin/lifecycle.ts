import type { FastifyInstance } from 'fastify'
import type { ActivityTracker } from '../../types/activity.js'
import type { Logger } from '../../types/options.js'
import type { RevocationLog } from '../../types/revocation-log.js'
import type { SessionCacheStats } from '../../types/session-cache.js'
import type { SessionStore } from '../../types/store.js'
import { ActivityFlusher, PublicTracker } from '../activity/flusher.js'
import { RevocationPoller } from '../cache/revocation-poller.js'
import { SessionCache } from '../cache/session-cache.js'
import { hasCapability, requireCapability } from '../core/capabilities.js'
import { GoseshError } from '../core/errors.js'
import { isPromise } from '../core/timing.js'
import { optionError } from '../core/validation.js'
import type { Settings } from '../options/options.js'
import { checkLogger, checkStore } from '../options/values.js'
import { BoundedStore } from '../session/bounded-store.js'
import { CachedStore } from '../session/cached-store.js'
import type { Context, ContextSource, Tracking } from '../session/context.js'
import { EndsElsewhere } from '../session/ends-elsewhere.js'
import { SessionEvents } from '../session/events.js'
import { Sweeper } from '../session/sweeper.js'
import { checkSchema } from './schema-check.js'
import { flushMargin, warnOfSettings } from './warnings.js'

const minSweepGrace = 5 * 60_000
const defaultSweepInterval = 10 * 60_000

type CacheSettings = NonNullable<Settings['sessionCache']>

/** What the option `sessionCache` adds. */
interface Caching {
  readonly settings: CacheSettings
  readonly cache: SessionCache
  readonly elsewhere: EndsElsewhere
}

/** Builds the context, starts what runs by itself, and stops it. */
export class Lifecycle implements ContextSource {
  readonly events: SessionEvents
  /** `null` without the option `sessionCache`. */
  readonly caching: Caching | null
  readonly #settings: Settings
  #log: Logger
  #context: Context | null = null
  #flusher: ActivityFlusher | null = null
  #tracker: PublicTracker | null = null
  #sweeper: Sweeper | null = null
  #sweepInterval: number | null = null
  #poller: RevocationPoller | null = null

  constructor(app: FastifyInstance, settings: Settings) {
    const { store, sessionCache } = settings
    this.#settings = settings
    this.#log = app.log
    this.events = new SessionEvents(() => this.#log)
    this.caching = sessionCache && {
      settings: sessionCache,
      cache: new SessionCache(sessionCache),
      elsewhere: new EndsElsewhere(this, this.events),
    }
    // Awaited in `onReady`; a rejection until then is not an unhandled one.
    if (isPromise(store)) store.then(undefined, () => {})
    else if (typeof store !== 'function') {
      this.#context = this.#buildContext(this.#boundedStore(store), null)
    }
  }

  get context(): Context {
    if (this.#context === null) throw new GoseshError('GOSESH_ERR_NOT_READY')
    return this.#context
  }

  get activityTracker(): ActivityTracker | null {
    return this.#tracker
  }

  /** Milliseconds; `null` if nothing is swept, and until the store is known. */
  get sweepInterval(): number | null {
    return this.#sweepInterval
  }

  /** `onReady`: every plugin has loaded, so what the options ask the instance for is there. */
  async start(app: FastifyInstance): Promise<void> {
    const { store: given, logger, maxSessionsPerUser } = this.#settings
    this.#log = checkLogger(typeof logger === 'function' ? logger(app) : logger)
    const store =
      this.#context?.store ??
      this.#boundedStore(checkStore(await (typeof given === 'function' ? given(app) : given)))
    await checkSchema(store, this.#log)
    if (maxSessionsPerUser !== null) {
      requireCapability(store, 'listUserSessions', 'The option maxSessionsPerUser')
    }
    warnOfSettings(this.#settings, store.raw, this.#log)
    // All are built before any is started: if the store lacks a capability, no timer is left behind.
    this.#flusher = this.#buildFlusher(store.raw)
    this.#sweeper = this.#buildSweeper(store)
    this.#poller = this.#buildPoller(store)
    this.#context = this.#buildContext(store, this.#flusher)
    await this.#poller?.start()
    this.#flusher?.start()
    this.#sweeper?.start()
  }

  get cacheStats(): SessionCacheStats | null {
    return this.caching?.cache.stats ?? null
  }

  /** `onClose`: the last flush. Never rejects. */
  async stop(): Promise<void> {
    this.#poller?.stop()
    await Promise.all([this.#flusher?.stop(), this.#sweeper?.stop()])
  }

  #boundedStore(store: SessionStore): BoundedStore {
    if (this.caching === null) return new BoundedStore(store, this.#settings)
    return new CachedStore(store, this.#settings, this.caching.cache, async () => this.#poller?.poll())
  }

  #buildContext(store: BoundedStore, flusher: ActivityFlusher | null): Context {
    const { clock, refreshInterval, notBefore, maxAge, maxSessionsPerUser } = this.#settings
    const tracking: Tracking | null =
      flusher === null ? null : { pending: flusher, margin: flushMargin(this.#settings) }
    return {
      store,
      clock,
      log: this.#log,
      tracking,
      defaultLifetime: defaultLifetime(this.#settings),
      refreshInterval,
      notBefore,
      maxAge,
      maxSessionsPerUser,
    }
  }

  #buildFlusher(store: SessionStore): ActivityFlusher | null {
    const { activityTracking, clock } = this.#settings
    if (activityTracking === null) return null
    const recorder = requireCapability(store, 'batchRecordActivity', 'The option activityTracking')
    const flusher = new ActivityFlusher(recorder, activityTracking, clock, this.#log)
    this.#tracker = new PublicTracker(flusher)
    return flusher
  }

  #buildPoller(store: BoundedStore): RevocationPoller | null {
    if (this.caching === null) return null
    const { settings, cache, elsewhere } = this.caching
    const log = requireRevocationLog(store, settings)
    return new RevocationPoller(log, settings.pollInterval, cache, elsewhere, this.#log)
  }

  #buildSweeper(store: BoundedStore): Sweeper | null {
    const { sweepInterval, clock, storeTimeout } = this.#settings
    if (sweepInterval === null) return null
    if (sweepInterval === undefined && !hasCapability(store, 'deleteExpiredSessions')) return null
    const sweep = {
      interval: sweepInterval ?? defaultSweepInterval,
      grace: Math.max(minSweepGrace, flushMargin(this.#settings)),
      stopTimeout: storeTimeout,
    }
    this.#sweepInterval = sweep.interval
    const expiring = requireCapability(store, 'deleteExpiredSessions', 'The option sweepInterval')
    return new Sweeper(expiring, sweep, clock, this.#log)
  }
}

/** The store, if it has a log of revocations. On a Redis Cluster no option of the store would give it one. */
function requireRevocationLog(store: BoundedStore, settings: CacheSettings): BoundedStore & RevocationLog {
  if ((store.raw as { readonly isCluster?: unknown }).isCluster === true) {
    throw optionError('sessionCache', settings, 'false on a Redis Cluster, which keeps no log of revocations')
  }
  return requireCapability(store, 'readRevocations', 'The option sessionCache') as BoundedStore &
    RevocationLog
}

/** The lifetimes of `app.gosesh.createSession`: of the first credential that its client keeps itself, else of the first. */
function defaultLifetime({ credentials }: Settings): Context['defaultLifetime'] {
  const found = credentials.find((credential) => credential.write === undefined) ?? credentials[0]
  const { idleTimeout, absoluteTimeout } = found as NonNullable<typeof found>
  return { idleTimeout, absoluteTimeout }
}
