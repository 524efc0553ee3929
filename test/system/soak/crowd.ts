import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Answer, Asking, Client } from '../chaos/client.js'
import type { Findings, Lifetimes } from '../chaos/device.js'
import type { Tally } from '../chaos/tally.js'
import { Visitor, type World } from './visitor.js'

const size = 32

/** Visitors who come and go all at once; they can be held for a moment, with no request under way. */
export class Crowd implements World {
  readonly lifetimes: Lifetimes
  readonly refusals: Record<string, number> = {}
  signIns = 0
  /** Requests let in that count as activity. */
  letIn = 0
  readonly #client: Client
  readonly #tally: Tally
  readonly #closing = new AbortController()
  #running: Promise<unknown> = Promise.resolve()
  #underWay = 0
  #held: Promise<void> | null = null
  #release = (): void => {}

  constructor(client: Client, tally: Tally, lifetimes: Lifetimes) {
    this.#client = client
    this.#tally = tally
    this.lifetimes = lifetimes
  }

  get findings(): Findings {
    return this.#tally.findings
  }

  get closing(): AbortSignal {
    return this.#closing.signal
  }

  start(): void {
    setMaxListeners(size, this.closing)
    const visitors = Array.from({ length: size }, (_, index) => new Visitor(`visitor-${index}`, this))
    this.#running = Promise.all(visitors.map((visitor) => visitor.live()))
    // Told of by `stop`.
    this.#running.catch(() => {})
  }

  async ask(asking: Asking, expected: readonly number[]): Promise<Answer> {
    while (this.#held !== null) await this.#held
    this.#underWay++
    const answer = await this.#client.ask(asking)
    this.#underWay--
    this.#tally.note(asking, answer, expected)
    if (asking.path === '/login' && answer.status === 200) this.signIns++
    return answer
  }

  refused(cause: string): void {
    this.refusals[cause] = (this.refusals[cause] ?? 0) + 1
  }

  active(): void {
    this.letIn++
  }

  async hold(): Promise<void> {
    this.#held = new Promise((resolve) => {
      this.#release = resolve
    })
    while (this.#underWay > 0) await delay(5)
  }

  release(): void {
    this.#held = null
    this.#release()
  }

  async stop(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }
}
