import { setImmediate as turn } from 'node:timers/promises'
import { Clock as FakeTimers } from 'clock-mock'
import type { Test } from 'tap'

/** Lets what is under way (promises, sockets, real immediates) go on. */
export async function settle(turns = 5): Promise<void> {
  for (let i = 0; i < turns; i++) await turn()
}

/** Fake `Date` and timers for the rest of the test. `advance` lets pending work run at every step. */
export function fakeTime(t: Test): { now(): number; advance(ms: number, step?: number): Promise<void> } {
  const timers = new FakeTimers()
  timers.travel(Date.parse('2030-01-01T00:00:00Z'))
  const { setImmediate, clearImmediate } = globalThis
  t.teardown(timers.enter())
  // An immediate is a turn of the event loop and not a time: what streams and `inject` do goes on by itself.
  Object.assign(globalThis, { setImmediate, clearImmediate })
  return {
    now: () => timers.now(),
    async advance(ms, step = 1_000) {
      for (let left = ms; left > 0; left -= step) {
        timers.advance(Math.min(step, left))
        await settle()
      }
    },
  }
}

/** Each look at it is ten milliseconds later, so that of two sign-ins nobody has to ask which was first. */
export function steppingClock(): { now(): number } {
  let now = 1_893_456_000_000
  return {
    now() {
      now += 10
      return now
    },
  }
}
