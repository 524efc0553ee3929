import type { SessionDataLimits } from '../../../types/data.js'

/** Those of the values that were asked for; `null` asks for all. */
export function pick(data: ReadonlyMap<string, string>, keys: readonly string[] | null): Map<string, string> {
  return new Map(keys === null ? data : [...data].filter(([key]) => keys.includes(key)))
}

/** True if a session may have as many keys as the changes leave; what adds no key may always be done. */
export function hasRoom(
  data: ReadonlyMap<string, string | null>,
  changes: ReadonlyMap<string, string | null>,
  { maxKeys }: SessionDataLimits,
): boolean {
  const keys = new Set(data.keys())
  for (const [key, value] of changes) {
    if (value === null) keys.delete(key)
    else keys.add(key)
  }
  return keys.size <= Math.max(maxKeys, data.size)
}
