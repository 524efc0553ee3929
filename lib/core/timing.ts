import type { Session } from '../../types/session.js'

/** True for a promise, of any kind. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}

/**
 * Settles as `promise` does, or rejects with `late()` after `ms` milliseconds; what arrives later is ignored. Timers run
 * before sockets are read, so the sockets get one more look: after a stall of the event loop an answer may lie there.
 */
export function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => void setImmediate(() => reject(late())), ms)
    promise.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

/** Runs `task` again and again, each time at most `interval` milliseconds after the last run ended. */
export interface Repetition {
  stop(): void
}

/**
 * Each delay is shortened by up to a tenth, at random, so that nodes started together drift apart and `interval`
 * stays the upper bound. The timer does not keep the process alive.
 */
export function repeat(interval: number, task: () => Promise<void>): Repetition {
  let timer: NodeJS.Timeout
  let stopped = false
  const arm = (): void => {
    if (stopped) return
    timer = setTimeout(() => void task().then(arm, arm), interval * (1 - Math.random() / 10))
    timer.unref()
  }
  arm()
  return {
    stop() {
      stopped = true
      clearTimeout(timer)
    },
  }
}

/** Milliseconds by which the clock of the node that took the proof may be ahead of this one's. */
const clockSkew = 1_000

/**
 * True if the user proved who they are at most `maxAge` milliseconds ago. A time in the future shows that the clock
 * stepped back, and not how long ago it was.
 */
export function isRecent(authenticatedAt: Date, now: number, maxAge: number): boolean {
  const age = now - authenticatedAt.getTime()
  return age <= maxAge && age >= -clockSkew
}

/** Milliseconds from now to the absolute deadline of a session that was active just now. */
export function lifetimeOf({
  lastActivityAt,
  absoluteDeadline,
}: Pick<Session, 'lastActivityAt' | 'absoluteDeadline'>): number {
  return absoluteDeadline.getTime() - lastActivityAt.getTime()
}
