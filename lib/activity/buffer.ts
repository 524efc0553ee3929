import type { SessionId } from '../../types/session.js'

/**
 * The latest activity of each pending session, in milliseconds since the epoch: what waits for the next flush, and what a
 * running flush has taken and not written yet. It holds at most `maxPending` sessions.
 *
 * The maps hold milliseconds since `since`. A number below 2³¹, as these are for 24 days, is a part of the map; a larger one is an
 * object, which every request would make anew, and leave to the garbage collector once it has become old.
 *
 *     record ──▶ waiting ──take──▶ taken ──written──▶ gone
 *                    ▲                └──finish──┐
 *                    └────────────────────────────┘
 */
export class ActivityBuffer {
  readonly #maxPending: number
  /** Milliseconds since the epoch. */
  readonly since: number
  #waiting = new Map<SessionId, number>()
  #taken = new Map<SessionId, number>()
  /** Sessions that are in both. */
  #inBoth = 0

  constructor(maxPending: number, since: number) {
    this.#maxPending = maxPending
    this.since = since
  }

  /** Pending sessions. */
  get size(): number {
    return this.#waiting.size + this.#taken.size - this.#inBoth
  }

  /** The newest time that is pending. */
  latest(id: SessionId): number | undefined {
    const pending = this.#waiting.get(id) ?? this.#taken.get(id)
    return pending === undefined ? undefined : this.since + pending
  }

  /** Keeps the newest time. Returns false if the session is new and there is no room for it. */
  record(id: SessionId, at: number): boolean {
    return this.move(id, at) || this.#add(id, at - this.since)
  }

  /** Keeps the newest time of a session that waits for the next flush. Returns false for any other. */
  move(id: SessionId, at: number): boolean {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return false
    const moved = at - this.since
    if (moved > waiting) this.#waiting.set(id, moved)
    return true
  }

  #add(id: SessionId, added: number): boolean {
    const taken = this.#taken.get(id)
    if (taken === undefined) {
      if (this.size >= this.#maxPending) return false
    } else {
      if (added <= taken) return true
      this.#inBoth++
    }
    this.#waiting.set(id, added)
    return true
  }

  forget(id: SessionId): void {
    const waited = this.#waiting.delete(id)
    const wasTaken = this.#taken.delete(id)
    if (waited && wasTaken) this.#inBoth--
  }

  /** The pending sessions of this moment; some may be there twice. */
  ids(): SessionId[] {
    return [...this.#waiting.keys(), ...this.#taken.keys()]
  }

  /**
   * For a flush, of which there is one at a time: all that waits, in milliseconds after `since`. What is written or forgotten
   * disappears from it.
   */
  take(): ReadonlyMap<SessionId, number> {
    this.#taken = this.#waiting
    this.#waiting = new Map()
    return this.#taken
  }

  /** These sessions are in the store, as they were taken. */
  written(ids: Iterable<SessionId>): void {
    for (const id of ids) {
      if (this.#taken.delete(id) && this.#inBoth > 0 && this.#waiting.has(id)) this.#inBoth--
    }
  }

  /** Ends the flush: what is not written goes back to waiting. */
  finish(): void {
    if (this.#taken.size === 0) return
    // Into the larger map, as a rule: a store that is down leaves a million behind, and few are recorded meanwhile.
    for (const [id, pending] of this.#waiting) this.#taken.set(id, pending)
    this.#waiting = this.#taken
    this.#taken = new Map()
    this.#inBoth = 0
  }
}
