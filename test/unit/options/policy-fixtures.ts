export const minute = 60_000

/** A clock that stands still until it is moved. */
export function steppedClock(): { now(): number; forward(ms: number): void } {
  let now = Date.parse('2030-01-01T00:00:00Z')
  return {
    now: () => now,
    forward(ms) {
      now += ms
    },
  }
}
