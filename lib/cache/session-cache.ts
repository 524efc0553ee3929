import type { Revocation } from '../../types/revocation-log.js'
import type { SessionId } from '../../types/session.js'
import type { SessionRecord } from '../../types/store.js'
import type { CachedRecord, RecordCache, RecordLoad } from '../core/record-cache.js'
import { Generations } from './generations.js'
import { type Clocks, Lease, type Moment, systemClocks } from './lease.js'

export interface CacheSettings {
  /** Milliseconds for which a session that another node ended may still be accepted. */
  readonly maxStaleness: number
  /** Milliseconds. */
  readonly maxEntryAge: number
  /** 0: nothing is kept, and only ends are heard of. */
  readonly maxSessions: number
}

/** Sessions of which it is remembered that they ended. Ids never return. */
const maxTombstones = 100_000

interface Entry extends CachedRecord {
  /** Monotonic: when the read began. */
  readonly loadedAt: number
}

interface Load extends RecordLoad {
  readonly epoch: number
  running: number
  cancelled: boolean
}

/**
 * Records in memory, each as a read found it that no later end or change has overtaken:
 *
 *     beginLoad ──▶ under way ──endLoad──▶ kept ──drop, end, clear, age──▶ gone
 *                       └──drop, end, clear──▶ cancelled: answered, not kept
 *
 * 1. A record comes from a read that began at or after `beginLoad`.
 * 2. Whatever happened before the moment of the lease's proof has been applied, to records and to reads under way.
 * 3. So a record that is used although its session has ended is used less than `maxStaleness` after that end.
 */
export class SessionCache implements RecordCache {
  readonly #settings: CacheSettings
  readonly #lease: Lease
  readonly #entries: Generations<Entry>
  readonly #tombstones = new Generations<true>(maxTombstones)
  readonly #loads = new Map<SessionId, Load>()
  readonly #counts = { hits: 0, misses: 0 }
  #epoch = 0
  #youngSince = 0

  constructor(settings: CacheSettings, clocks: Clocks = systemClocks) {
    this.#settings = settings
    this.#lease = new Lease(settings.maxStaleness, clocks)
    this.#entries = new Generations(settings.maxSessions)
  }

  get stats(): { hits: number; misses: number; provenAgeMs: number | null; size: number } {
    return { ...this.#counts, provenAgeMs: this.#lease.provenAge, size: this.#entries.size }
  }

  countHit(): void {
    this.#counts.hits++
  }

  countMiss(): void {
    this.#counts.misses++
  }

  get(id: SessionId): CachedRecord | null {
    const entry = this.#entries.get(id)
    if (entry === undefined) return null
    const now = this.#lease.now()
    const tooOld = now.monotonic - entry.loadedAt >= this.#settings.maxEntryAge
    return tooOld || !this.#lease.holds(now) ? null : entry
  }

  beginLoad(id: SessionId): RecordLoad {
    let load = this.#loads.get(id)
    if (load === undefined) {
      load = { id, startedAt: this.#lease.now().monotonic, epoch: this.#epoch, running: 0, cancelled: false }
      this.#loads.set(id, load)
    }
    load.running++
    return load
  }

  endLoad(given: RecordLoad, record: SessionRecord | null): void {
    const load = given as Load
    load.running--
    if (load.running === 0 && this.#loads.get(load.id) === load) this.#loads.delete(load.id)
    // It has ended, whoever ended it: ids never return.
    if (record === null) this.#entries.delete(load.id)
    // A visitor's end is not logged. Whatever its type says, a store may answer with what is no record.
    if (!record?.userId || this.#settings.maxSessions === 0) return
    if (load.cancelled || load.epoch !== this.#epoch || this.#tombstones.get(load.id)) return
    this.#keep(load, record)
  }

  drop(id: SessionId): void {
    this.#entries.delete(id)
    const load = this.#loads.get(id)
    if (load === undefined) return
    load.cancelled = true
    // Those that begin from now on find the session as it has become.
    this.#loads.delete(id)
  }

  end(id: SessionId): boolean {
    this.drop(id)
    if (this.#tombstones.get(id)) return false
    this.#tombstones.set(id, true)
    return true
  }

  /** Nobody knows what has happened: nothing is kept, and no read that is under way will be. */
  clear(): void {
    this.#entries.clear()
    this.#loads.clear()
    this.#epoch++
  }

  /** Both clocks, for a poll that begins. */
  now(): Moment {
    return this.#lease.now()
  }

  /**
   * What a poll brought that began at `at`; `null`: it could not tell. Returns the sessions of which it was not known that they
   * ended.
   */
  apply(entries: readonly Revocation[] | null, at: Moment): SessionId[] {
    const ended: SessionId[] = []
    if (entries === null) this.clear()
    else {
      for (const { id, ended: hasEnded } of entries) {
        if (!hasEnded) this.drop(id)
        else if (this.end(id)) ended.push(id)
      }
    }
    this.#lease.prove(at)
    this.#forgetOld(at.monotonic)
    return ended
  }

  #keep({ id, startedAt }: Load, record: SessionRecord): void {
    const { createdAt, authenticatedAt } = record
    this.#entries.set(id, {
      // The request that reads is given these two dates, and may do with them as it likes.
      record: { ...record, createdAt: new Date(createdAt), authenticatedAt: new Date(authenticatedAt) },
      activeAt: this.#entries.get(id)?.activeAt,
      loadedAt: startedAt,
    })
  }

  /** Twice in `maxEntryAge`: what is too old to be used leaves the memory. */
  #forgetOld(now: number): void {
    if (now - this.#youngSince < this.#settings.maxEntryAge / 2) return
    this.#youngSince = now
    this.#entries.rotate()
  }
}
