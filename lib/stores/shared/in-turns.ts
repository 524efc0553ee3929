import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SessionId } from '../../../types/session.js'

/** Sessions and their last activity. */
export type ActivitySlice = readonly (readonly [id: SessionId, at: Date])[]

/**
 * Writes a batch of activity `size` sessions at a time, each in a turn of the event loop of its own, so that requests
 * find their way between them. Resolves the sum of what `write` returns; rejects as `write` does, and then leaves the
 * rest unwritten.
 */
export async function writeInTurns(
  updates: ReadonlyMap<SessionId, Date>,
  size: number,
  write: (slice: ActivitySlice) => number | Promise<number>,
): Promise<number> {
  let moved = 0
  let left = updates.size
  let slice: [SessionId, Date][] = []
  for (const update of updates) {
    slice.push(update)
    left--
    if (slice.length < size && left > 0) continue
    moved += await write(slice)
    slice = []
    if (left > 0) await nextTurn()
  }
  return moved
}
