import type { SessionId } from '../../types/session.js'
import type { PendingRecord } from '../core/pending-activity.js'

/** One pending session. Its time is moved in place, which is cheaper than setting a number in the map anew. */
interface PendingSession {
  at: number
  /** The number of the map it waits in, or waited in when that went into flight; or one of the two below. */
  generation: number
}

/** Neither waiting nor in flight any more: written or forgotten. It may still lie in the map that is in flight. */
const settled = -1
/** In flight, and waiting anew with a later time. */
const superseded = -2

/** Sessions that go to the store in one call. */
export interface ActivityBatch {
  readonly updates: ReadonlyMap<SessionId, Date>
  /** Those of the updates, in their order. */
  readonly sessions: readonly PendingSession[]
}

/**
 * The latest activity of each pending session, in milliseconds since the epoch: what waits for the next flush, and
 * what a running flush has not written yet. It holds at most `maxPending` sessions.
 */
export class ActivityBuffer {
  readonly #maxPending: number
  #waiting = new Map<SessionId, PendingSession>()
  /** What is written is marked as settled, and goes with the whole map when the flight ends. */
  #inFlight = new Map<SessionId, PendingSession>()
  #inFlightCount = 0
  /** Sessions that wait and are in flight. */
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
    return this.#waiting.size + this.#inFlightCount - this.#overlap
  }

  /** What is pending of a session. It shows the newest time while it waits, and as a `known` it saves a look-up. */
  find(id: SessionId): PendingRecord | undefined {
    return this.#waiting.get(id) ?? this.#findInFlight(id)
  }

  /** The newest time, of what is pending now or was when `known` was found. */
  latest(id: SessionId, known?: PendingRecord): number | undefined {
    if (known !== undefined && this.#isWaiting(known)) return known.at
    const at = this.find(id)?.at
    return known === undefined || (at !== undefined && at > known.at) ? at : known.at
  }

  /** Keeps the newest time. Returns false if the session is new and there is no room for it. */
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

  /** Keeps the time of a session that does not wait. Returns false if it is new and there is no room for it. */
  add(id: SessionId, at: number): boolean {
    const inFlight = this.#findInFlight(id)
    if (inFlight === undefined) {
      if (this.size >= this.#maxPending) return false
    } else {
      if (at <= inFlight.at) return true
      inFlight.generation = superseded
      this.#overlap++
    }
    this.#waiting.set(id, { at, generation: this.#generation })
    return true
  }

  forget(id: SessionId): void {
    const waiting = this.#waiting.get(id)
    if (waiting !== undefined) {
      waiting.generation = settled
      this.#waiting.delete(id)
    }
    const inFlight = this.#findInFlight(id)
    if (inFlight !== undefined) this.#settle(inFlight)
  }

  /** The pending sessions of this moment; some may be there twice. */
  ids(): SessionId[] {
    const ids = [...this.#waiting.keys()]
    for (const [id, session] of this.#inFlight) if (this.#isInFlight(session)) ids.push(id)
    return ids
  }

  /**
   * Puts all that waits in flight and yields it in batches. Each stays pending until it is settled, by `written` or
   * `putBack`. One flight at a time; `land` ends it.
   */
  *flight(maxBatchSize: number): Generator<ActivityBatch, void, void> {
    this.#inFlight = this.#waiting
    this.#inFlightCount = this.#waiting.size
    this.#waiting = new Map()
    this.#generation++
    let updates = new Map<SessionId, Date>()
    let sessions: PendingSession[] = []
    for (const [id, session] of this.#inFlight) {
      // Forgotten while an earlier batch was written.
      if (!this.#isInFlight(session)) continue
      updates.set(id, new Date(session.at))
      sessions.push(session)
      if (sessions.length < maxBatchSize) continue
      yield { updates, sessions }
      updates = new Map()
      sessions = []
    }
    if (sessions.length > 0) yield { updates, sessions }
  }

  /** Ends the flight: what is not settled goes back to waiting. */
  land(): void {
    if (this.#inFlightCount > 0) {
      for (const [id, session] of this.#inFlight) this.#putBackOne(id, session)
    }
    this.#inFlight = new Map()
  }

  /** The batch is in the store. */
  written({ sessions }: ActivityBatch): void {
    for (const session of sessions) if (this.#isInFlight(session)) this.#settle(session)
  }

  /** These go back to waiting, but for what was recorded anew or forgotten meanwhile. */
  putBack({ updates, sessions }: ActivityBatch): void {
    let i = 0
    for (const id of updates.keys()) this.#putBackOne(id, sessions[i++] as PendingSession)
  }

  #putBackOne(id: SessionId, session: PendingSession): void {
    if (!this.#isInFlight(session)) return
    const again = session.generation === superseded
    this.#settle(session)
    if (again) return
    session.generation = this.#generation
    this.#waiting.set(id, session)
  }

  #findInFlight(id: SessionId): PendingSession | undefined {
    const session = this.#inFlight.get(id)
    return session !== undefined && this.#isInFlight(session) ? session : undefined
  }

  #isInFlight({ generation }: PendingSession): boolean {
    return generation === superseded || generation === this.#generation - 1
  }

  /** Of a session in flight. */
  #settle(session: PendingSession): void {
    if (session.generation === superseded) this.#overlap--
    this.#inFlightCount--
    session.generation = settled
  }
}
