import type { RevocationPoller } from '../../../lib/cache/revocation-poller.js'
import type { SessionCache } from '../../../lib/cache/session-cache.js'
import type { Logger, Revocation, Revocations, SessionId, SessionRecord } from '../../../lib/index.js'

/** What is simulated: the classes themselves, or mutants of them. */
export interface Subject {
  readonly SessionCache: typeof SessionCache
  readonly RevocationPoller: typeof RevocationPoller
}

/** The outcome of one schedule, times in milliseconds. */
export interface Outcome {
  readonly hits: number
  /** Hits `maxStaleness` or more after the session had ended or changed, each with how long after. */
  readonly late: readonly number[]
}

const maxStaleness = 400
const pollInterval = 50
const storeTimeout = 300
const sessions = 6
const length = 4_000

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} }

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Virtual time, millisecond by millisecond: events in order, and promises between them. */
class World {
  now = 0
  readonly #events: (() => void)[][] = []
  #answered = false

  /** A promise was settled. */
  answered(): void {
    this.#answered = true
  }

  at(time: number, run: () => void): void {
    const at = Math.max(time, this.now)
    const due = this.#events[at]
    if (due === undefined) this.#events[at] = [run]
    else due.push(run)
  }

  async run(until: number): Promise<void> {
    for (; this.now < until; this.now++) {
      // It grows while it runs.
      for (const run of this.#events[this.now] ?? []) {
        this.#answered = false
        run()
        // Enough for what an answer sets off.
        for (let i = 0; this.#answered && i < 8; i++) await null
      }
      delete this.#events[this.now]
    }
  }
}

const failure = new Error('no answer')

/** The server: which sessions there are, how often each has changed, and the log. */
class Server {
  /** By session, the times of its changes; an end is the last one. */
  readonly #changes = new Map<SessionId, number[]>()
  readonly #ended = new Set<SessionId>()
  readonly #log: Revocation[] = []
  #generation = 0

  change(id: SessionId, at: number, ended: boolean): void {
    if (this.#ended.has(id)) return
    this.#changes.set(id, [...(this.#changes.get(id) ?? []), at])
    if (ended) this.#ended.add(id)
    this.#log.push({ id, ended })
  }

  loseLog(): void {
    this.#log.length = 0
    this.#generation++
  }

  read(id: SessionId): SessionRecord | null {
    if (this.#ended.has(id)) return null
    const at = new Date(0)
    const version = this.#changes.get(id)?.length ?? 0
    return { id, version, userId: 'ada', createdAt: at, authenticatedAt: at } as SessionRecord
  }

  /** For how long the record has been out of date; 0: it is not. */
  staleness({ id, version }: SessionRecord, now: number): number {
    return now - (this.#changes.get(id)?.[version] ?? now)
  }

  poll(cursor: string | null): Revocations {
    const here = `${this.#generation}:${this.#log.length}`
    const [generation, position] = (cursor ?? here).split(':').map(Number)
    return { cursor: here, entries: generation === this.#generation ? this.#log.slice(position) : null }
  }
}

/**
 * One schedule of the seed: a node with a cache reads and uses sessions while other nodes end them. The way to the server is slow,
 * hangs, fails and overtakes itself; the node stands still; the server loses its log.
 */
export async function simulate({ SessionCache, RevocationPoller }: Subject, seed: number): Promise<Outcome> {
  const random = randomOf(seed)
  const below = (n: number): number => Math.floor(random() * n)
  const chance = (share: number): boolean => random() < share
  const world = new World()
  const server = new Server()
  /** How bad the network and the node are differs from schedule to schedule. */
  const [hanging, failing, pausing, losing] = [random() * 0.1, random() * 0.3, random(), chance(0.3)]
  let hungUntil = 0
  let standsUntil = 0

  /** Runs when the node is not standing still. */
  const onNode = (time: number, run: () => void): void =>
    world.at(time, () => {
      if (world.now < standsUntil) onNode(standsUntil, run)
      else run()
    })
  const trip = (): number => {
    if (chance(hanging / 4)) hungUntil = world.now + below(900)
    return Math.max(0, hungUntil - world.now) + (chance(0.1) ? below(storeTimeout + 50) : below(8))
  }
  /** A call of the server: it takes effect on the way, and its answer may be late, lost or a failure. */
  const call = <T>(effect: () => T): Promise<T> =>
    new Promise((resolve, reject) => {
      let isSettled = false
      const settle = (how: () => void) => (): void => {
        if (isSettled) return
        isSettled = true
        world.answered()
        how()
      }
      onNode(
        world.now + storeTimeout,
        settle(() => reject(failure)),
      )
      world.at(world.now + trip(), () => {
        const answer = effect()
        const fails = chance(failing)
        onNode(
          world.now + trip(),
          settle(() => (fails ? reject(failure) : resolve(answer))),
        )
      })
    })

  // For the mutant that relies on a timer.
  Object.assign(globalThis, {
    simulatedTimeout: (run: () => void, ms: number) => onNode(world.now + ms, run),
  })
  const cache = new SessionCache(
    { maxStaleness, maxEntryAge: 3_000, maxSessions: 20 },
    { monotonic: () => world.now, wall: () => world.now },
  )
  const log = { readRevocations: (cursor: string | null) => call(() => server.poll(cursor)) }
  const poller = new RevocationPoller(log, pollInterval, cache, { ended() {}, unknown() {} }, quiet)
  const ids = Array.from({ length: sessions }, (_, i) => `session-${i}`.padEnd(22, '-') as SessionId)
  let hits = 0
  const late: number[] = []

  const request = (id: SessionId): void => {
    const cached = cache.get(id)
    if (cached !== null) {
      hits++
      const staleness = server.staleness(cached.record, world.now)
      if (staleness >= maxStaleness) late.push(staleness)
      return
    }
    const load = cache.beginLoad(id)
    void call(() => server.read(id)).then(
      (record) => cache.endLoad(load, record),
      () => cache.endLoad(load, null),
    )
  }
  const pollAgain = (): void =>
    void poller.poll().then(
      () => onNode(world.now + pollInterval, pollAgain),
      () => onNode(world.now + pollInterval, pollAgain),
    )
  const requestAgain = (id: SessionId, every: number): void => {
    request(id)
    onNode(world.now + 1 + below(every), () => requestAgain(id, every))
  }

  pollAgain()
  for (const id of ids) {
    const every = 10 + below(80)
    onNode(below(500), () => requestAgain(id, every))
    world.at(below(length), () => server.change(id, world.now, true))
    for (let i = 0; i < 3; i++) world.at(below(length), () => server.change(id, world.now, false))
  }
  for (let i = 0; i < 3; i++) {
    if (chance(pausing)) {
      world.at(below(length), () => {
        standsUntil = world.now + below(1_500)
      })
    }
  }
  if (losing) {
    world.at(below(length), () => {
      // What happened just before is lost with the log.
      for (const id of ids) if (chance(0.5)) server.change(id, world.now, chance(0.5))
      server.loseLog()
    })
  }
  await world.run(length)
  return { hits, late }
}
