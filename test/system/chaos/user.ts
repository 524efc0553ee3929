import { randomBytes } from 'node:crypto'
import type { Answer, Asking, Client } from './client.js'
import { Device, type Lifetimes } from './device.js'
import type { Tally } from './tally.js'

export interface Habits {
  /** Milliseconds; `null`: as the application has it. */
  readonly idleTimeout: number | null
  /** Milliseconds from one act to the next. */
  pause(): number
  /** How often it signs in on another device, instead of doing anything else. */
  readonly signInChance: number
  /** Whether it ever signs out, or only leaves. */
  readonly signsOut: boolean
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)] as T
}

/** How many ended sessions are remembered, to be tried again. */
const remembered = 30

/** One user with several devices, who does one thing after another: so what must hold is known at every step. */
export class User {
  devices: Device[] = []
  readonly endedDevices: Device[] = []
  /** Of the last request that was let in, by the performance clock. */
  letInAt = Number.NEGATIVE_INFINITY
  readonly #name: string
  readonly #client: Client
  readonly #tally: Tally
  readonly #habits: Habits
  readonly #lifetimes: Lifetimes
  /** An end of all its sessions was not acknowledged, and may come after sessions that begin later. */
  #doomed = false

  constructor(name: string, client: Client, tally: Tally, habits: Habits, defaults: Lifetimes) {
    this.#name = name
    this.#client = client
    this.#tally = tally
    this.#habits = habits
    this.#lifetimes = { ...defaults, idleTimeout: habits.idleTimeout ?? defaults.idleTimeout }
  }

  /** Whether it is heard of many times a second. */
  get isBusy(): boolean {
    return this.#habits.idleTimeout === null
  }

  get pause(): number {
    return this.#habits.pause()
  }

  async act(): Promise<void> {
    if (this.#tally.weather === 'calm') this.#doomed = false
    const chance = Math.random()
    if (this.devices.length === 0 || Math.random() < this.#habits.signInChance) return this.signIn()
    if (chance < 0.1) return this.#tryEnded()
    if (chance < 0.14) return this.#visit()
    if (chance < 0.24) return this.#poll()
    if (!this.#habits.signsOut || chance < 0.85) return this.#work()
    if (chance < 0.92) return this.#signOut()
    if (chance < 0.96) return this.#signInAgain()
    return this.#signOutEverywhere()
  }

  async signIn(): Promise<void> {
    const { device } = await this.#logIn(undefined)
    if (device === null) return
    this.devices.push(device)
    // It has no more than four in its hands; what it leaves behind is nobody's.
    if (this.devices.length > 4) this.devices.shift()
  }

  /** Asks for every session once more. */
  async checkAll(): Promise<void> {
    for (const device of [...this.devices, ...this.endedDevices]) {
      device.polled(await this.#ask({ path: '/poll', cookie: device.cookie }, [200, 401]))
    }
  }

  async #ask(asking: Asking, expected: readonly number[]): Promise<Answer> {
    const answer = await this.#client.ask(asking)
    this.#tally.note(asking, answer, expected)
    if (answer.status === 200 && asking.cookie !== undefined) this.letInAt = performance.now()
    return answer
  }

  async #logIn(cookie: string | undefined): Promise<{ answer: Answer; device: Device | null }> {
    const { idleTimeout } = this.#habits
    const body = { user: this.#name, ...(idleTimeout === null ? {} : { idleTimeout }) }
    const answer = await this.#ask({ method: 'POST', path: '/login', cookie, body }, [200])
    const state = this.#doomed ? 'uncertain' : 'live'
    if (answer.status !== 200) return { answer, device: null }
    return { answer, device: new Device(answer, state, this.#lifetimes, this.#tally.findings) }
  }

  async #work(): Promise<void> {
    const device = pick(this.devices)
    device.worked(await this.#ask({ path: '/me', cookie: device.cookie }, [200, 401]))
    this.#sortOut()
  }

  async #poll(): Promise<void> {
    const device = pick(this.devices)
    device.polled(await this.#ask({ path: '/poll', cookie: device.cookie }, [200, 401]))
    this.#sortOut()
  }

  async #signOut(): Promise<void> {
    const device = pick(this.devices)
    const answer = await this.#ask({ method: 'POST', path: '/logout', cookie: device.cookie }, [200])
    device.ended(answer, 'signed out')
    this.#sortOut()
  }

  async #signInAgain(): Promise<void> {
    const old = pick(this.devices)
    const { answer, device } = await this.#logIn(old.cookie)
    // The new session stands even if the store has failed to end the old one, which then ends once it answers.
    if (answer.status === 200 && this.#tally.weather === 'fault') old.doubt()
    else old.ended(answer, 'replaced')
    if (device !== null) this.devices.push(device)
    this.#sortOut()
  }

  async #signOutEverywhere(): Promise<void> {
    const device = pick(this.devices)
    const path = '/logout-everywhere'
    const answer = await this.#ask({ method: 'POST', path, cookie: device.cookie }, [200])
    if (answer.status !== 200) this.#doomed = true
    const others = this.devices.filter((other) => other !== device)
    device.ended(answer, 'signed out everywhere')
    // Only a session that lives can speak for all of its user's.
    if (answer.status !== 200) for (const other of others) other.doubt()
    else if (answer.body === device.id)
      for (const other of others) other.ended(answer, 'signed out everywhere')
    this.#sortOut()
  }

  /** Somebody who kept a copy of a cookie. */
  async #tryEnded(): Promise<void> {
    if (this.endedDevices.length === 0) return this.#tryGarbage()
    const device = pick(this.endedDevices)
    device.worked(await this.#ask({ path: '/me', cookie: device.cookie }, [200, 401]))
  }

  async #tryGarbage(): Promise<void> {
    const token = pick([randomBytes(32).toString('base64url'), 'x', pick(this.devices)?.id ?? ''])
    await this.#ask({ path: '/me', cookie: `__Host-session=${token}` }, [401])
  }

  /** What needs no session is answered whatever happens. */
  async #visit(): Promise<void> {
    await this.#ask({ path: pick(['/health', '/open']) }, [200])
  }

  #sortOut(): void {
    this.endedDevices.push(...this.devices.filter(({ state }) => state === 'ended'))
    this.devices = this.devices.filter(({ state }) => state !== 'ended')
    this.endedDevices.splice(0, this.endedDevices.length - remembered)
  }
}
