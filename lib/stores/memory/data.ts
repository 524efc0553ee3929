import type { SessionDataLimits } from '../../../types/data.js'
import { hasRoom, pick } from '../shared/data.js'
import type { StoredSession } from './stored-session.js'

/** The values of these keys, or with `null` of all, in a map of the caller's own. */
export function valuesOf({ data }: StoredSession, keys: readonly string[] | null): Map<string, string> {
  return data === null ? new Map() : pick(data, keys)
}

/** Makes all of the changes, or none and returns false if there would be too many keys. */
export function changeData(
  stored: StoredSession,
  changes: ReadonlyMap<string, string | null>,
  limits: SessionDataLimits,
): boolean {
  const data = new Map(stored.data)
  if (!hasRoom(data, changes, limits)) return false
  for (const [key, value] of changes) {
    if (value === null) data.delete(key)
    else data.set(key, value)
  }
  stored.data = data.size === 0 ? null : data
  return true
}
