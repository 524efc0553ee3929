import type { PendingRecord } from '../../types/activity.js'
import type { SessionId } from '../../types/session.js'

/** One pending session. Its time is moved in place, which is cheaper than setting a number in the map anew. */
interface PendingSession {
  at: number
  /** Which map of waiting sessions it is in: the current one, or one that went into flight. */
  generation: number
}

const forgotten = -1

/**
 * The latest activity of each pending session, in milliseconds since the epoch: what waits for the next flush, and
 * what a running flush has not written yet. It holds at most `maxPending` sessions.
 */
export class ActivityBuffer {
  readonly #maxPending: number
  #waiting = new Map<SessionId, PendingSession>()
  #inFlight = new Map<SessionId, PendingSession>()
  /** Sessions that are in both maps. */
  #overlap = 0
  #generation = 0
  /** What `move` moved last: a socket that tells of one message after the other pays no look-up. */
  #lastId: SessionId | null = null
  #last: PendingSession | null = null

  constructor(maxPending: number) {
    this.#maxPending = maxPending
  }

  /** Pending sessions. */
  get size(): number {
    return this.#waiting.size + this.#inFlight.size - this.#overlap
  }

  /** What is pending of a session. It shows the newest time while it waits, and as a `known` it saves a look-up. */
  find(id: SessionId): PendingRecord | undefined {
    return this.#waiting.get(id) ?? this.#inFlight.get(id)
  }

  /** The newest time, of what is pending now or was when `known` was found. */
  latest(id: SessionId, known?: PendingRecord): number | undefined {
    if (known !== undefined && this.#isWaiting(known)) return known.at
    const at = this.find(id)?.at
    return known === undefined || (at !== undefined && at > known.at) ? at : known.at
  }

  /** Keeps the newest time. Returns false where the session is new and there is no room for it. */
  record(id: SessionId, at: number, known?: PendingRecord): boolean {
    const waiting = known !== undefined && this.#isWaiting(known) ? known : this.#waiting.get(id)
    if (waiting === undefined) return this.add(id, at)
    if (at > waiting.at) waiting.at = at
    return true
  }

  /** Keeps the newest time of a session that waits for the next flush. Returns false for any other. */
  move(id: SessionId, at: number): boolean {
    let waiting = this.#last
    if (waiting === null || id !== this.#lastId || waiting.generation !== this.#generation) {
      waiting = this.#waiting.get(id) ?? null
      if (waiting === null) return false
      this.#lastId = id
      this.#last = waiting
    }
    if (at > waiting.at) waiting.at = at
    return true
  }

  /** Only this class makes records, so each is a `PendingSession`. */
  #isWaiting(record: PendingRecord): record is PendingSession {
    return (record as PendingSession).generation === this.#generation
  }

  /** Keeps the time of a session that does not wait. Returns false where it is new and there is no room for it. */
  add(id: SessionId, at: number): boolean {
    const inFlight = this.#inFlight.get(id)
    if (inFlight === undefined) {
      if (this.size >= this.#maxPending) return false
    } else {
      if (at <= inFlight.at) return true
      this.#overlap++
    }
    this.#waiting.set(id, { at, generation: this.#generation })
    return true
  }

  forget(id: SessionId): void {
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) {
      waiting.generation = forgotten
      this.#waiting.delete(id)
    }
    if (this.#inFlight.delete(id) && waiting !== undefined) this.#overlap--
  }

  /** The pending sessions of this moment; some may be there twice. */
  ids(): SessionId[] {
    return [...this.#waiting.keys(), ...this.#inFlight.keys()]
  }

  /**
   * Puts all that waits in flight and yields it in batches. Each stays pending until it is settled, by `written` or
   * `putBack`; what has not been yielded when the caller breaks off goes back to waiting. One flight at a time.
   */
  *flight(maxBatchSize: number): Generator<Map<SessionId, Date>, void, void> {
    this.#inFlight = this.#waiting
    this.#waiting = new Map()
    this.#generation++
    let batch = new Map<SessionId, Date>()
    try {
      for (const [id, { at }] of this.#inFlight) {
        batch.set(id, new Date(at))
        if (batch.size < maxBatchSize) continue
        yield batch
        batch = new Map()
      }
      if (batch.size > 0) yield batch
    } finally {
      this.putBack(this.#inFlight.keys())
    }
  }

  /** The batch is in the store. */
  written(batch: ReadonlyMap<SessionId, Date>): void {
    for (const id of batch.keys()) {
      if (this.#inFlight.delete(id) && this.#waiting.has(id)) this.#overlap--
    }
  }

  /** These go back to waiting, but for what was recorded anew or forgotten meanwhile. */
  putBack(ids: Iterable<SessionId>): void {
    for (const id of ids) {
      const session = this.#inFlight.get(id)
      if (session === undefined) continue
      this.#inFlight.delete(id)
      if (this.#waiting.has(id)) this.#overlap--
      else this.#putBackOne(id, session)
    }
  }

  #putBackOne(id: SessionId, session: PendingSession): void {
    session.generation = this.#generation
    this.#waiting.set(id, session)
  }
}
