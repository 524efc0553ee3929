import { setTimeout as delay } from 'node:timers/promises'
import { busyTimeout, type StoreName } from './backend.js'
import type { Ground } from './ground.js'
import type { Stage } from './stage.js'

export const faultNames = [
  'slow',
  'too-slow',
  'hang',
  'silence',
  'drops',
  'one-in-ten',
  'kill',
  'full',
  'crash',
  'clock',
] as const

export type FaultName = (typeof faultNames)[number]

/** Runs the fault from its beginning to its end. */
type Course = (ground: Ground, stage: Stage) => Promise<void>

export interface Fault {
  /** What happens, in words. */
  readonly what: string
  readonly course: Partial<Record<StoreName, Course>>
  /** What must be answered as ever meanwhile. */
  readonly spared: readonly string[]
  /** Whether it must be seen in the answers. */
  readonly refuses: boolean
  /** The same, where it is more on one store than on the others. */
  readonly sparedOn?: Partial<Record<StoreName, readonly string[]>>
  /** Milliseconds of activity that may be lost, by store; by which a session may then end sooner. Default: 0. */
  readonly lossBoundMs?: Partial<Record<StoreName, number>>
}

export const storeTimeout = 1_500
export const flushInterval = 300
export const flushTimeout = 1_500
const verified = ['/me', '/poll', '/open', '/health']
const all = [...verified, '/login', '/logout', '/logout-everywhere']
const hour = 3_600_000

function proxyOf({ proxy, store }: Ground): NonNullable<Ground['proxy']> {
  if (proxy === null) throw new Error(`${store} has no line that could fail`)
  return proxy
}

function serverOf({ server, store }: Ground): NonNullable<Ground['server']> {
  if (server === null) throw new Error(`${store} has no server that could fail`)
  return server
}

function latency(ms: number): Course {
  return async (ground, stage) => {
    const proxy = proxyOf(ground)
    proxy.latency = ms
    await stage.endure()
    proxy.latency = 0
  }
}

/** Another connection holds the lock, again and again, for `ms` milliseconds at a time. */
function locks(ms: number): Course {
  return async ({ locker }, stage) => {
    const end = performance.now() + stage.durationMs
    while (performance.now() < end) {
      if ((await locker?.take()) === false)
        stage.tally.findings.unexpected.push('the application kept the lock')
      await delay(ms)
      locker?.release()
      await delay(ms / 2)
    }
  }
}

const hang: Course = async (ground, stage) => {
  const server = serverOf(ground)
  server.pause()
  await stage.endure()
  server.resume()
}

const silence: Course = async (ground, stage) => {
  const proxy = proxyOf(ground)
  proxy.pause()
  await stage.endure()
  proxy.resume()
}

const drops: Course = async (ground, stage) => {
  const proxy = proxyOf(ground)
  const end = performance.now() + stage.durationMs
  while (performance.now() < end) {
    proxy.dropAll()
    await delay(150)
  }
}

const kill: Course = async (ground, stage) => {
  const server = serverOf(ground)
  await server.kill()
  stage.serverKilled()
  await stage.endure()
  await server.start()
}

const oneInTen: Course = async (_ground, stage) => {
  await stage.app.tell({ kind: 'failEvery', calls: 10 })
  await stage.endure()
  await stage.app.tell({ kind: 'failEvery', calls: null })
}

const serverFull: Course = async (ground, stage) => {
  await ground.setFull(true)
  await stage.endure()
  await ground.setFull(false)
}

const databaseFull: Course = async (_ground, stage) => {
  // SQLite takes the size that the database has for the least.
  await stage.app.tell({ kind: 'limitPages', pages: 1 })
  await stage.endure()
  await stage.app.tell({ kind: 'limitPages', pages: 2 ** 30 })
}

const crash: Course = async (_ground, stage) => {
  await stage.app.tell({ kind: 'dieInFlush' })
  await stage.untilCrash()
  await stage.restart()
  await stage.endure()
}

const clock: Course = async (_ground, stage) => {
  await stage.stepClock(-hour)
  await stage.endure(0.5)
  await stage.stepClock(hour / 6)
  await stage.endure(0.5)
  await stage.stepClock(0)
}

export const faults: Record<FaultName, Fault> = {
  slow: {
    what: 'the store takes two fifths of its timeout',
    course: { redis: latency(600), postgres: latency(600), sqlite: locks(0.4 * busyTimeout) },
    // What takes several round trips, one after another, may be more than the timeout allows.
    spared: verified,
    refuses: false,
  },
  'too-slow': {
    what: 'the store takes a third more than its timeout',
    course: { redis: latency(2_000), postgres: latency(2_000), sqlite: locks(4 * busyTimeout) },
    spared: ['/health'],
    // Readers do not wait for the lock.
    sparedOn: { sqlite: verified },
    refuses: true,
  },
  hang: {
    what: 'the server is stopped where it stands (SIGSTOP)',
    course: { redis: hang, postgres: hang },
    spared: ['/health'],
    refuses: true,
  },
  silence: {
    what: 'the network swallows everything; what was sent arrives afterwards',
    course: { redis: silence, postgres: silence },
    spared: ['/health'],
    refuses: true,
  },
  drops: {
    what: 'every connection is reset, every 150 ms',
    course: { redis: drops, postgres: drops },
    spared: ['/health'],
    refuses: false,
  },
  'one-in-ten': {
    what: 'one call in ten fails, half of them after they took effect',
    course: { redis: oneInTen, postgres: oneInTen, sqlite: oneInTen, memory: oneInTen },
    spared: ['/health'],
    refuses: true,
  },
  kill: {
    what: 'the server is killed (SIGKILL) and started again',
    course: { redis: kill, postgres: kill },
    spared: ['/health'],
    refuses: true,
    // What PostgreSQL has confirmed of a flush is up to three rounds of its WAL writer away from the disk.
    lossBoundMs: { postgres: 600 },
  },
  full: {
    what: 'there is no room: SQLITE_FULL, or maxmemory reached',
    course: { redis: serverFull, sqlite: databaseFull },
    spared: [...verified, '/logout', '/logout-everywhere'],
    refuses: true,
  },
  crash: {
    what: 'the application is killed (SIGKILL) in the middle of a flush, and started again',
    course: { redis: crash, postgres: crash, sqlite: crash },
    spared: ['/health'],
    refuses: false,
  },
  clock: {
    what: 'the clock steps back an hour, then to ten minutes ahead, then back',
    course: { redis: clock, postgres: clock, sqlite: clock, memory: clock },
    spared: all,
    refuses: false,
  },
}
