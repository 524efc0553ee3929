import assert from 'node:assert/strict'
import fc, { type Scheduler } from 'fast-check'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import gosesh, { type GoseshOptions, type Session } from '../../../lib/index.js'
import { addRoutes, cookieOf } from '../../tools/app.js'
import { settle } from '../../tools/clock.js'
import { withCache } from '../../tools/session-cache.js'
import { WatchedStore } from '../../tools/store.js'

/** Schedules for each race. */
const runs = Number(process.env.RACES_RUNS ?? 180)
const seed = process.env.RACES_SEED === undefined ? undefined : Number(process.env.RACES_SEED)
const path = process.env.RACES_PATH
/** In which all that does not wait for the store has gone on: one for a request, one for a flush between batches. */
const turns = 2

const methods = [
  'createSession',
  'getSession',
  'extendSession',
  'deleteSession',
  'deleteUserSessions',
  'batchRecordActivity',
  'listUserSessions',
  'deleteAllSessions',
  'updateSession',
] as const

/** Something that was done: when it began and ended, in one count of all beginnings and ends, and what came of it. */
export interface Operation<T> {
  readonly label: string
  readonly began: number
  readonly ended: number
  /** When it began, in milliseconds since the epoch. */
  readonly at: number
  readonly result: T
}

/** A device of a user: the session that was begun for it, and its cookie. */
export interface Device {
  readonly cookie: string
  readonly session: Session
}

/**
 * One application whose store acts, and answers, only when the scheduler says so. Whatever can go on without the store
 * has gone on before the scheduler chooses: so its choices alone make the order, and a seed repeats it.
 */
export class Race {
  readonly app: FastifyInstance
  readonly store = new WatchedStore()
  /** Each time that the store acted during the race, in the count of `Operation`. */
  readonly acts: { readonly method: string; readonly count: number }[] = []
  readonly #scheduler: Scheduler
  readonly #operations: Promise<unknown>[] = []
  #count = 0
  #now = Date.parse('2030-01-01T00:00:00Z')

  constructor(scheduler: Scheduler, options: GoseshOptions) {
    this.#scheduler = scheduler
    this.app = Fastify({ exposeHeadRoutes: false })
    const { activityTracking } = options
    this.app.register(
      gosesh,
      withCache({
        // No real timer ends a wait: that is the scheduler's choice alone.
        storeTimeout: 600_000,
        ...options,
        ...(activityTracking && { activityTracking: { flushTimeout: 600_000, ...activityTracking } }),
        store: this.store,
        clock: { now: () => this.#now },
      }),
    )
    addRoutes(this.app)
    this.app.post('/login-twice', async (_request, reply) => {
      const [, last] = await Promise.all([reply.signIn('ada'), reply.signIn('ada')])
      return last
    })
  }

  get now(): Date {
    return new Date(this.#now)
  }

  advance(ms: number): void {
    this.#now += ms
  }

  /** Counts up: what comes earlier has a smaller number. */
  count(): number {
    return ++this.#count
  }

  /** Signs in before the race. */
  async device(user = 'ada'): Promise<Device> {
    const { session, token } = await this.app.gosesh.createSession(user)
    return { cookie: `__Host-session=${token}`, session }
  }

  /** A request before the race; with tracking on, its activity is pending. */
  async visit({ cookie }: Device): Promise<void> {
    this.advance(1_000)
    const { statusCode } = await this.app.inject({ url: '/me', headers: { cookie } })
    assert.equal(statusCode, 200)
  }

  /** Does it during the race, a second later than what began before it. */
  do<T>(label: string, work: () => Promise<T>): Promise<Operation<T>> {
    const operation = this.#do(label, work)
    this.#operations.push(operation)
    return operation
  }

  async #do<T>(label: string, work: () => Promise<T>): Promise<Operation<T>> {
    await this.#scheduler.schedule(Promise.resolve(), `${label} begins`)
    this.advance(1_000)
    const at = this.#now
    const began = this.count()
    const result = await work()
    return { label, began, ended: this.count(), at, result }
  }

  request(label: string, device: Pick<Device, 'cookie'>, url = '/me'): Promise<Operation<Session | null>> {
    return this.do(label, async () => {
      const response = await this.app.inject({ url, headers: { cookie: device.cookie } })
      assert.equal(response.headers['set-cookie'], undefined, `${label} sets a cookie`)
      if (response.statusCode === 401) return null
      assert.equal(response.statusCode, 200, `${label} answered ${response.statusCode}: ${response.body}`)
      return response.json()
    })
  }

  signOut(label: string, device: Device, url = '/logout'): Promise<Operation<void>> {
    return this.do(label, async () => {
      const response = await this.app.inject({ method: 'POST', url, headers: { cookie: device.cookie } })
      assert.equal(response.statusCode, 200, `${label} answered ${response.statusCode}: ${response.body}`)
      assert.match(cookieOf(response), /^__Host-session=$/, `${label} clears the cookie`)
    })
  }

  /** `presenting` is asked for a cookie when the sign-in begins. */
  signIn(
    label: string,
    presenting: () => string | null = () => null,
    url = '/login',
  ): Promise<Operation<Device>> {
    return this.do(label, async () => {
      const cookie = presenting()
      const headers = cookie === null ? {} : { cookie }
      const response = await this.app.inject({ method: 'POST', url, headers })
      assert.equal(response.statusCode, 200, `${label} answered ${response.statusCode}: ${response.body}`)
      return { cookie: cookieOf(response), session: response.json() }
    })
  }

  /** Re-authenticates; resolves with the device that goes on, or with `null` if it was refused. */
  reauthenticate(label: string, device: Device): Promise<Operation<Device | null>> {
    return this.do(label, async () => {
      const headers = { cookie: device.cookie }
      const response = await this.app.inject({ method: 'POST', url: '/confirm', headers })
      if (response.statusCode === 401) {
        assert.equal(response.headers['set-cookie'], undefined, `${label} leaves the cookie alone`)
        return null
      }
      assert.equal(response.statusCode, 200, `${label} answered ${response.statusCode}: ${response.body}`)
      return { cookie: cookieOf(response), session: response.json() }
    })
  }

  /** Resolves with false if there is no such session. */
  updateMetadata(label: string, { session }: Device, key: string): Promise<Operation<boolean>> {
    return this.do(label, async () => await this.app.gosesh.updateMetadata(session.id, { [key]: label }))
  }

  flush(label: string): Promise<Operation<void>> {
    return this.do(label, async () => await this.app.gosesh.activityTracker?.flush())
  }

  /** Lets the scheduler order all that was begun; afterwards the store answers at once again. */
  async run(): Promise<void> {
    this.#gate()
    await this.#scheduler.waitFor(Promise.all(this.#operations))
    await this.#scheduler.waitIdle()
    for (const method of methods) this.store.off(method)
  }

  #gate(): void {
    const scheduler = this.#scheduler
    for (const method of methods) {
      this.store.on(method, async (proceed) => {
        await scheduler.schedule(Promise.resolve(), `${method} acts`)
        this.acts.push({ method, count: this.count() })
        return await scheduler.schedule(proceed(), `${method} answers`)
      })
    }
  }

  /** Whether the session lives, on which the store, the list and a request must agree. */
  async lives({ cookie, session }: Device): Promise<boolean> {
    const stored = (await this.store.getSession(session.id)) !== null
    const listed = (await this.app.gosesh.listUserSessions(session.userId)).some(
      ({ id }) => id === session.id,
    )
    const verified = (await this.app.inject({ url: '/poll', headers: { cookie } })).json().session !== null
    assert.deepEqual([listed, verified], [stored, stored], 'the store, the list and a request agree')
    return stored
  }

  /** The last activity in the store, in milliseconds. */
  async lastActivity({ session }: Device): Promise<number | undefined> {
    return (await this.store.getSession(session.id))?.lastActivityAt.getTime()
  }
}

type Work = (race: Race) => Promise<void>

/** The race in an order of its own for every run; `done` is given the order. */
function propertyOf(
  options: GoseshOptions,
  work: Work,
  done: (scheduler: Scheduler) => void = () => {},
): fc.IAsyncProperty<[Scheduler]> {
  const anyOrder = fc.scheduler({
    act: async (choose) => {
      await settle(turns)
      await choose()
    },
  })
  return fc.asyncProperty(anyOrder, async (scheduler) => {
    const race = new Race(scheduler, options)
    try {
      await race.app.ready()
      await work(race)
      done(scheduler)
    } finally {
      await race.app.close()
    }
  })
}

/** A test that runs the race in many orders. Where one fails, it names the seed, the path and the order. */
export function raceTest(t: Test, name: string, options: GoseshOptions, work: Work): void {
  t.test(name, async (t) => {
    const replayed = { ...(seed !== undefined && { seed }), ...(path !== undefined && { path }) }
    await t.resolves(fc.assert(propertyOf(options, work), { numRuns: runs, ...replayed }))
  })
}

/** The orders that a seed leads to: which of the things that could go on did, one after another. */
export async function ordersOf(seed: number, options: GoseshOptions, work: Work): Promise<string[][]> {
  const orders: string[][] = []
  const property = propertyOf(options, work, (scheduler) => {
    orders.push(scheduler.report().map(({ taskId, label }) => `${taskId} ${label}`))
  })
  await fc.assert(property, { numRuns: 20, seed })
  return orders
}

/** Whatever ended the session: no request that began later is verified, none that ended sooner is refused. */
export function assertVerdicts(
  requests: readonly Operation<Session | null>[],
  end: Pick<Operation<unknown>, 'label' | 'began' | 'ended'>,
): void {
  for (const { label, began, ended, result } of requests) {
    if (result === null) assert.ok(ended > end.began, `${label} is refused before ${end.label}`)
    else assert.ok(began < end.ended, `${label} is verified after ${end.label}`)
  }
}
