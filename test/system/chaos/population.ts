import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Client } from './client.js'
import type { Device, Lifetimes } from './device.js'
import type { Tally } from './tally.js'
import { type Habits, User } from './user.js'

function between(from: number, to: number): () => number {
  return () => from + Math.random() * (to - from)
}

/** Idle timeout of those who come and go; longer than what a flush may take, shorter than a fault. */
const shortIdleTimeout = 2_500

const worker: Habits = { idleTimeout: null, pause: between(10, 60), signInChance: 0.03, signsOut: true }
/** Somebody whose sessions are many and are never ended. */
const newcomer: Habits = { idleTimeout: null, pause: between(10, 60), signInChance: 0.5, signsOut: false }
/** Somebody whose session often ends by itself. */
const sleeper: Habits = {
  idleTimeout: shortIdleTimeout,
  pause: between(100, 3_500),
  signInChance: 0.03,
  signsOut: true,
}

const everybody = [
  ...Array(10).fill(worker),
  ...Array(2).fill(newcomer),
  ...Array(4).fill(sleeper),
] as Habits[]

/** Users at work, all at once, until they are stopped. */
export class Population {
  readonly users: readonly User[]
  readonly #client: Client
  readonly #stopped = new AbortController()
  #running: Promise<unknown> = Promise.resolve()
  #held = false
  #busy = 0

  constructor(name: string, client: Client, tally: Tally, defaults: Lifetimes) {
    this.#client = client
    this.users = everybody.map(
      (habits, index) => new User(`${name}-${index}`, client, tally, habits, defaults),
    )
  }

  get devices(): Device[] {
    return this.users.flatMap(({ devices }) => devices)
  }

  start(): void {
    setMaxListeners(this.users.length, this.#stopped.signal)
    this.#running = Promise.all(this.users.map((user) => this.#live(user)))
  }

  /** Resolves once nobody does anything any more. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#running
  }

  /** Steps the clock, with no request under way. */
  async stepClock(step: () => Promise<void>): Promise<void> {
    this.#held = true
    while (this.#busy > 0) await delay(2)
    await step()
    const now = this.#client.clock.now()
    for (const { devices, endedDevices } of this.users) {
      for (const device of [...devices, ...endedDevices]) device.clockStepped(now)
    }
    this.#held = false
  }

  async #live(user: User): Promise<void> {
    const { signal } = this.#stopped
    while (!signal.aborted) {
      if (!this.#held) await this.#act(user)
      await delay(user.pause, undefined, { signal }).catch(() => {})
    }
  }

  async #act(user: User): Promise<void> {
    this.#busy++
    try {
      await user.act()
    } finally {
      this.#busy--
    }
  }
}
