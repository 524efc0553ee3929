import type { Answer } from './client.js'

/** What went against what a user may expect. */
export interface Findings {
  /** Sessions refused although their deadline had not passed and nobody ended them. */
  readonly wronglyEnded: string[]
  /** Sessions let in after their end was acknowledged, or after their deadline. */
  readonly wronglyAccepted: string[]
  /** Answers that nothing explains. */
  readonly unexpected: string[]
}

export type Cause = 'signed out' | 'signed out everywhere' | 'replaced' | 'idle' | 'absolute'

/** `uncertain`: its end was asked for and not acknowledged, so that both of its answers are right. */
type State = 'live' | 'uncertain' | 'ended'

export interface Lifetimes {
  readonly idleTimeout: number
  readonly absoluteTimeout: number
  /** By how much sooner it may end, because activity may have been lost. */
  readonly lossBoundMs: number
}

/** Requests; more than there are in the time that may be lost. */
const remembered = 200

/**
 * One session, as it is known from outside. When it was last active is known to lie between when a request was sent
 * and when it was answered; so is its deadline. All times are milliseconds of the client's clock.
 */
export class Device {
  readonly cookie: string
  readonly id: string
  readonly #findings: Findings
  readonly #lifetimes: Lifetimes
  readonly #created: { readonly from: number; readonly to: number }
  readonly #active: { from: number; to: number }
  /** The last requests that counted as activity. */
  readonly #work: { readonly sentAt: number; readonly answeredAt: number }[] = []
  #state: State
  #cause: Cause | null = null

  constructor(signIn: Answer, state: 'live' | 'uncertain', lifetimes: Lifetimes, findings: Findings) {
    this.cookie = signIn.setCookie ?? ''
    this.id = signIn.body
    this.#state = state
    this.#lifetimes = lifetimes
    this.#findings = findings
    this.#created = { from: signIn.sentAt, to: signIn.answeredAt }
    this.#active = { from: signIn.sentAt, to: signIn.answeredAt }
  }

  get state(): State {
    return this.#state
  }

  /** Why it ended, where it did. */
  get cause(): Cause | null {
    return this.#cause
  }

  /** When the oldest request was answered that was let in, and came after what is stored as its last activity. */
  oldestAfter(storedAt: number): number | null {
    return this.#work.find(({ sentAt }) => sentAt > storedAt)?.answeredAt ?? null
  }

  /** Whether it must be let in at this time. */
  mustLiveAt(time: number): boolean {
    const { idleTimeout, absoluteTimeout, lossBoundMs } = this.#lifetimes
    const idleDeadline = this.#active.from + idleTimeout - lossBoundMs
    const deadline = Math.min(idleDeadline, this.#created.from + absoluteTimeout)
    return this.#state === 'live' && time < deadline
  }

  /** A request that counts as activity. */
  worked(answer: Answer): void {
    this.#judge(answer)
    // One without an answer may have counted as well.
    if (answer.status === 200 || answer.status === 0)
      this.#active.to = Math.max(this.#active.to, answer.answeredAt)
    if (answer.status !== 200) return
    this.#active.from = Math.max(this.#active.from, answer.sentAt)
    this.#work.push({ sentAt: answer.sentAt, answeredAt: answer.answeredAt })
    if (this.#work.length > remembered) this.#work.shift()
  }

  /** A request that does not. */
  polled(answer: Answer): void {
    this.#judge(answer)
  }

  /** The answer to what was to end it. Where that failed, it may have been ended or may be ended yet. */
  ended({ status, answeredAt }: Answer, cause: Cause): void {
    // A request to sign in anew may have been let in, and so have counted, before it failed.
    this.#active.to = Math.max(this.#active.to, answeredAt)
    if (this.#state === 'ended') return
    if (status === 200) this.#end(cause)
    else this.#state = 'uncertain'
  }

  /** Another session's end may have been its end too. */
  doubt(): void {
    if (this.#state === 'live') this.#state = 'uncertain'
  }

  /** Activity that a crash may have lost: what it is judged by from now on. */
  recall(lastActivityAt: number): void {
    this.#active.from = Math.min(this.#active.from, lastActivityAt)
  }

  /** The clock was stepped: a deadline may have passed meanwhile, or may lie ahead again. */
  clockStepped(now: number): void {
    const wasExpired = this.#cause === 'idle' || this.#cause === 'absolute'
    if (wasExpired || (this.#state === 'live' && !this.mustLiveAt(now))) {
      this.#state = 'uncertain'
      this.#cause = null
    }
  }

  #end(cause: Cause): void {
    this.#state = 'ended'
    this.#cause = cause
  }

  #judge(answer: Answer): void {
    if (answer.status === 200) this.#accepted(answer)
    if (answer.status === 401) this.#refused(answer)
  }

  #accepted({ sentAt }: Answer): void {
    const { idleTimeout, absoluteTimeout } = this.#lifetimes
    const deadline = Math.min(this.#active.to + idleTimeout, this.#created.to + absoluteTimeout)
    if (this.#state === 'ended') this.#findings.wronglyAccepted.push(`${this.id} after it was ${this.#cause}`)
    else if (sentAt >= deadline)
      this.#findings.wronglyAccepted.push(`${this.id} ${sentAt - deadline} ms after its deadline`)
  }

  #refused({ answeredAt }: Answer): void {
    if (this.mustLiveAt(answeredAt)) {
      const idle = answeredAt - this.#active.from
      this.#findings.wronglyEnded.push(`${this.id}, last active at most ${idle} ms before`)
    }
    if (this.#state === 'ended') return
    const overAge = answeredAt >= this.#created.from + this.#lifetimes.absoluteTimeout
    this.#end(overAge ? 'absolute' : 'idle')
  }
}
