/** How the requests of a session come. */
export interface Pattern {
  readonly title: string
  /** Requests of a burst, a second apart. */
  readonly burst: number
  /** Milliseconds between the beginnings of bursts. */
  readonly every: number
}

export const patterns: readonly Pattern[] = [
  { title: 'a request every 6 seconds', burst: 1, every: 6_000 },
  { title: 'bursts of 10 every 5 minutes', burst: 10, every: 300_000 },
  { title: 'a request a minute', burst: 1, every: 60_000 },
]

const maxEntryAge = 300_000
const hours = 2
const sessions = 500

/** The same numbers in every run: mulberry32. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * The part of the requests whose node has the session in memory, if that part `sticky` of them goes to the session's own node and
 * the others to any.
 */
export function hitRate({ burst, every }: Pattern, nodes: number, sticky: number): number {
  const random = generator(nodes * 1_000 + Math.round(sticky * 100))
  let [hits, requests] = [0, 0]
  for (let session = 0; session < sessions; session++) {
    const loadedAt = new Array<number>(nodes).fill(Number.NEGATIVE_INFINITY)
    for (let start = 0; start < hours * 3_600_000; start += every) {
      for (let i = 0; i < burst; i++) {
        // Spread within the interval, as otherwise all intervals would divide the age of an entry.
        const at = start + i * 1_000 + random() * (burst === 1 ? every : 1_000)
        const node = random() < sticky ? 0 : Math.floor(random() * nodes)
        requests++
        if (at - (loadedAt[node] as number) < maxEntryAge) hits++
        else loadedAt[node] = at
      }
    }
  }
  return hits / requests
}
