import { setTimeout as delay } from 'node:timers/promises'
import type { SessionId } from '../../../lib/index.js'
import type { AppProcess } from './app-process.js'
import type { Backend } from './backend.js'
import { Client } from './client.js'
import type { Lifetimes } from './device.js'
import { Population } from './population.js'
import type { Tally } from './tally.js'

/** What the store lacks of what is known from outside. */
export interface Loss {
  /** How old the oldest activity was that is not in the store. */
  readonly ms: number
  /** How old it may have been. */
  readonly boundMs: number
  /** Sessions that must live and are not in the store. */
  readonly missing: readonly string[]
}

export interface LossOfCrash extends Loss {
  /** Of `boundMs`, what the process had nothing to do. */
  readonly idleMs: number
}

/** An application at work and those who use it, while something goes wrong. */
export class Stage {
  app: AppProcess
  readonly tally: Tally
  readonly population: Population
  readonly durationMs: number
  readonly #client: Client
  /** `null` where nobody else can look into the store. */
  readonly #direct: Backend | null
  /** What a crash of the application has cost. */
  lossOfCrash: LossOfCrash | null = null
  /** When the store lost what it may have; by the client's clock. */
  #serverKilledAt: number | null = null
  readonly #lossBoundMs: number

  constructor(
    app: AppProcess,
    lifetimes: Lifetimes,
    tally: Tally,
    direct: Backend | null,
    durationMs: number,
  ) {
    this.app = app
    this.tally = tally
    this.durationMs = durationMs
    this.#direct = direct
    this.#lossBoundMs = lifetimes.lossBoundMs
    this.#client = new Client(app.port)
    this.population = new Population(`user-${app.port}`, this.#client, tally, lifetimes)
  }

  /** Waits while the fault lasts, or for a part of it. */
  async endure(part = 1): Promise<void> {
    await delay(this.durationMs * part)
  }

  async restart(): Promise<void> {
    this.app = await this.app.restart()
  }

  async stepClock(offset: number): Promise<void> {
    await this.population.stepClock(async () => {
      await this.app.tell({ kind: 'stepClock', offset })
      this.#client.clock.offset = offset
    })
  }

  /** Resolves once the application has been killed, and it is known what that has cost. */
  async untilCrash(): Promise<void> {
    this.tally.weather = 'down'
    await this.app.exited
    const { death } = this.app
    if (death === null) throw new Error('the application ended, and not in the middle of a flush')
    // All that was recorded before the last flush but one began was written by that.
    const loss = await this.#lossUntil(death.at, Math.ceil(death.msSinceLastFlushBegan))
    this.lossOfCrash = { ...loss, idleMs: Math.round(death.idleMsSinceLastFlushBegan) }
  }

  /** The server is killed now. */
  serverKilled(): void {
    this.#serverKilledAt = this.#client.clock.now()
  }

  /** The store against what is known from outside, once the application has closed. */
  loss(): Promise<Loss> {
    return this.#lossUntil(this.#serverKilledAt ?? this.#client.clock.now(), this.#lossBoundMs)
  }

  async #lossUntil(time: number, boundMs: number): Promise<Loss> {
    if (this.#direct === null) return { ms: 0, boundMs, missing: [] }
    const now = this.#client.clock.now()
    const missing: string[] = []
    let ms = 0
    for (const device of this.population.devices.filter((device) => device.mustLiveAt(now))) {
      const stored = await this.#direct.store.getSession(device.id as SessionId)
      if (stored === null) {
        missing.push(device.id)
        continue
      }
      const lostAt = device.oldestAfter(stored.lastActivityAt.getTime())
      // What was lost for another reason, and so later, counts as well.
      if (lostAt !== null) ms = Math.max(ms, Math.abs(time - lostAt))
      device.recall(stored.lastActivityAt.getTime())
    }
    return { ms, boundMs, missing }
  }

  /** Asks for every session there was, one after another. */
  async checkAll(): Promise<void> {
    for (const user of this.population.users) await user.checkAll()
  }

  disconnect(): void {
    this.#client.disconnect()
  }

  kill(): void {
    this.app.kill()
  }
}
