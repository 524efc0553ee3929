import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Answer, Asking } from '../chaos/client.js'
import { Device, type Findings, type Lifetimes } from '../chaos/device.js'

/** What a visitor needs of the world. */
export interface World {
  readonly findings: Findings
  readonly lifetimes: Lifetimes
  /** Aborted once it is time to leave. */
  readonly closing: AbortSignal
  ask(asking: Asking, expected: readonly number[]): Promise<Answer>
  /** A request was answered with 401 or 403, for this reason. */
  refused(cause: string): void
  /** A request that counts as activity was let in. */
  active(): void
}

function between(from: number, to: number): number {
  return from + Math.random() * (to - from)
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T
}

const foreign = { 'sec-fetch-site': 'cross-site', origin: 'https://elsewhere.example' }

/** Somebody who does one thing after another, so that what must hold is known at every step. */
export class Visitor {
  readonly #name: string
  readonly #world: World

  constructor(name: string, world: World) {
    this.#name = name
    this.#world = world
  }

  /** Visits again and again, in one way or another, until the world closes. */
  async live(): Promise<void> {
    const ways = [
      () => this.#workAndSignOut(),
      () => this.#workAndSignOut(),
      () => this.#pollUntilRefused(),
      () => this.#idlePastDeadline(),
      () => this.#idleNearDeadline(),
      () => this.#leave(),
      () => this.#signInAgain(),
      () => this.#signOutEverywhere(),
      () => this.#workUntilTheEnd(),
      () => this.#guess(),
      () => this.#beUsedByAnotherSite(),
    ]
    while (!this.#closing) await pick(ways)()
  }

  get #closing(): boolean {
    return this.#world.closing.aborted
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#world.closing }).catch(() => {})
  }

  async #signIn(): Promise<Device> {
    return this.#deviceOf(await this.#logIn(undefined))
  }

  #logIn(cookie: string | undefined): Promise<Answer> {
    const body = { user: this.#name }
    return this.#world.ask({ method: 'POST', path: '/login', cookie, body }, [200])
  }

  #deviceOf(signIn: Answer): Device {
    return new Device(signIn, 'live', this.#world.lifetimes, this.#world.findings)
  }

  async #work(device: Device): Promise<Answer> {
    const answer = await this.#world.ask({ path: '/me', cookie: device.cookie }, [200, 401])
    device.worked(answer)
    if (answer.status === 200) this.#world.active()
    if (answer.status === 401) this.#world.refused(device.cause ?? 'unknown')
    return answer
  }

  async #workFor(device: Device, times: number): Promise<void> {
    for (let i = 0; i < times && !this.#closing; i++) {
      await this.#work(device)
      await this.#pause(between(20, 150))
    }
  }

  async #poll(device: Device): Promise<Answer> {
    const answer = await this.#world.ask({ path: '/poll', cookie: device.cookie }, [200, 401])
    device.polled(answer)
    if (answer.status === 401) this.#world.refused(device.cause ?? 'unknown')
    return answer
  }

  async #signOut(device: Device, path: '/logout' | '/logout-everywhere' = '/logout'): Promise<Answer> {
    const answer = await this.#world.ask({ method: 'POST', path, cookie: device.cookie }, [200])
    device.ended(answer, path === '/logout' ? 'signed out' : 'signed out everywhere')
    return answer
  }

  async #workAndSignOut(): Promise<void> {
    const device = await this.#signIn()
    await this.#workFor(device, between(5, 40))
    await this.#signOut(device)
    // Somebody kept the token.
    await this.#work(device)
    await this.#poll(device)
  }

  /** A page that is left open keeps nobody signed in. */
  async #pollUntilRefused(): Promise<void> {
    const device = await this.#signIn()
    while (!this.#closing && (await this.#poll(device)).status === 200) await this.#pause(300)
  }

  async #idlePastDeadline(): Promise<void> {
    const device = await this.#signIn()
    await this.#workFor(device, between(1, 10))
    await this.#pause(this.#world.lifetimes.idleTimeout + between(50, 1_500))
    await this.#work(device)
  }

  async #idleNearDeadline(): Promise<void> {
    const device = await this.#signIn()
    for (let i = 0; i < 3 && !this.#closing; i++) {
      await this.#work(device)
      await this.#pause(this.#world.lifetimes.idleTimeout - between(300, 1_500))
    }
    await this.#work(device)
  }

  async #leave(): Promise<void> {
    await this.#workFor(await this.#signIn(), between(0, 5))
  }

  async #signInAgain(): Promise<void> {
    const old = await this.#signIn()
    await this.#workFor(old, 3)
    const answer = await this.#logIn(old.cookie)
    // It was verified like any other request.
    if (old.mustLiveAt(answer.answeredAt)) this.#world.active()
    old.ended(answer, 'replaced')
    await this.#work(old)
    await this.#workFor(this.#deviceOf(answer), 3)
  }

  async #signOutEverywhere(): Promise<void> {
    const devices = [await this.#signIn(), await this.#signIn(), await this.#signIn()]
    for (const device of devices) await this.#workFor(device, between(1, 4))
    const [first] = devices as [Device]
    const answer = await this.#signOut(first, '/logout-everywhere')
    // Only a session that lives can speak for all of its user's.
    for (const device of devices.slice(1)) {
      if (answer.body === first.id) device.ended(answer, 'signed out everywhere')
      await this.#work(device)
    }
    await this.#work(first)
  }

  /** Whatever it does, the session ends at its latest time. */
  async #workUntilTheEnd(): Promise<void> {
    const device = await this.#signIn()
    while (!this.#closing && (await this.#work(device)).status === 200) await this.#pause(between(300, 1_200))
  }

  /** Tokens that nobody was given. */
  async #guess(): Promise<void> {
    const device = await this.#signIn()
    const guesses = [randomBytes(32).toString('base64url'), device.id, 'x', '%00', `${device.id}${device.id}`]
    for (const token of guesses) {
      await this.#world.ask({ path: '/me', cookie: `__Host-session=${token}` }, [401])
      this.#world.refused('no such token')
    }
    await this.#work(device)
  }

  /** A page of another site has requests sent with the cookie; they do nothing, and keep nothing alive. */
  async #beUsedByAnotherSite(): Promise<void> {
    const device = await this.#signIn()
    const { cookie } = device
    const body = { user: this.#name }
    await this.#world.ask({ method: 'POST', path: '/login', headers: foreign, body }, [403])
    this.#world.refused('another origin')
    for (let status = 403; status === 403 && !this.#closing; await this.#pause(400)) {
      const answer = await this.#world.ask(
        { method: 'POST', path: '/note', cookie, headers: foreign },
        [401, 403],
      )
      status = answer.status
      // It was refused for where it came from, and so the session was alive.
      device.polled(status === 403 ? { ...answer, status: 200 } : answer)
      this.#world.refused(status === 403 ? 'another origin' : (device.cause ?? 'unknown'))
    }
  }
}
