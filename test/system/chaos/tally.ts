import type { Answer, Asking } from './client.js'
import type { Findings } from './device.js'

/** `calm`: the store answers; `fault`: it may not; `down`: the application itself may not. */
export type Weather = 'calm' | 'fault' | 'down'

/** Store calls that an answer may have to wait for, one after another. */
const storeCalls: Readonly<Record<string, number>> = {
  '/me': 2,
  '/note': 2,
  '/poll': 1,
  '/open': 2,
  '/health': 0,
  '/login': 3,
  '/logout': 2,
  '/logout-everywhere': 3,
}

/** What a machine with other work may add to any answer. */
const slackMs = 2_000

export interface TallySettings {
  readonly storeTimeout: number
  /** Milliseconds that an answer may wait because the process itself is held. */
  readonly heldMs: number
}

/** Counts the answers, and knows which of them are not what was promised. */
export class Tally {
  readonly findings: Findings = { wronglyEnded: [], wronglyAccepted: [], unexpected: [] }
  /** Answers that came later than the store's timeouts allow. */
  readonly late: string[] = []
  weather: Weather = 'calm'
  /** Paths that are answered as ever whatever the weather. */
  spared: readonly string[] = []
  statuses: Record<string, number> = {}
  slowestMs = 0
  /** Of the last answer that said that something was unavailable, by the performance clock. */
  lastRefusalAt = Number.NEGATIVE_INFINITY
  readonly #settings: TallySettings

  constructor(settings: TallySettings) {
    this.#settings = settings
  }

  /** Counts from here on. */
  reset(): void {
    this.statuses = {}
    this.slowestMs = 0
  }

  note({ path, cookie }: Asking, answer: Answer, expected: readonly number[]): void {
    const { status, ms } = answer
    this.statuses[status] = (this.statuses[status] ?? 0) + 1
    this.slowestMs = Math.max(this.slowestMs, ms)
    this.#checkTime(path, ms)
    if (status === 503) this.#noteOutage(path, cookie, answer)
    else if (status === 0) this.#noteSilence(path)
    else if (!expected.includes(status)) this.#unexpected(path, answer)
  }

  #checkTime(path: string, ms: number): void {
    const { storeTimeout, heldMs } = this.#settings
    const bound = (storeCalls[path] ?? 0) * storeTimeout + heldMs + slackMs
    if (ms > bound) this.late.push(`${path} took ${Math.round(ms)} ms of ${bound}`)
  }

  #noteOutage(path: string, cookie: string | undefined, answer: Answer): void {
    this.lastRefusalAt = performance.now()
    const ours = answer.body.includes('GOSESH_ERR_STORE_UNAVAILABLE')
    const anonymous = cookie === undefined && path !== '/login'
    const allowed = this.weather !== 'calm' && !this.spared.includes(path) && !anonymous
    if (!ours || !allowed || answer.setCookie !== null) this.#unexpected(path, answer)
  }

  #noteSilence(path: string): void {
    this.lastRefusalAt = performance.now()
    if (this.weather !== 'down') this.findings.unexpected.push(`${path} was not answered`)
  }

  #unexpected(path: string, { status, body, setCookie }: Answer): void {
    const cookie = setCookie === null ? '' : ' and sets a cookie'
    this.findings.unexpected.push(`${path} answered ${status}${cookie} while ${this.weather}: ${body}`)
  }
}
