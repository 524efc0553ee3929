import { setTimeout as delay } from 'node:timers/promises'
import { AppProcess } from './app-process.js'
import { busyTimeout, type StoreName } from './backend.js'
import { type FaultName, faults, flushInterval, flushTimeout, storeTimeout } from './faults.js'
import type { Ground } from './ground.js'
import type { AppSettings, Report } from './protocol.js'
import { type Loss, type LossOfCrash, Stage } from './stage.js'
import { Tally } from './tally.js'

const hour = 3_600_000

/** How long all may take to be well again, and for how long nobody may be refused then. */
const resumeBoundMs = 5_000
const calmMs = 1_000
/** What two flushes, and a machine with other work, may add to the interval between them while the process is idle. */
const flushSlackMs = 2_000

export interface Result {
  readonly fault: FaultName
  readonly store: StoreName
  readonly seconds: number
  /** Answers while the fault lasted, by status; 0: none, as the process was down. */
  readonly statuses: Readonly<Record<string, number>>
  readonly slowestMs: number
  /** From the end of the fault to the last answer that told of it. */
  readonly resumeMs: number
  /** How old the oldest activity was that is not in the store, when the process or the server was killed. */
  readonly lossMs: number
  readonly lossBoundMs: number
  /** What the tracker itself counted. */
  readonly dropped: number
  readonly lost: number
  readonly sessions: number
  readonly wronglyEnded: number
  readonly wronglyAccepted: number
  /** The promises that were broken, in words. */
  readonly broken: readonly string[]
}

function settingsOf(fault: FaultName, { store, place }: Ground): AppSettings {
  return {
    ...place,
    // Redis has a clock of its own, and forgets what is that long past its deadline by it.
    grace: fault === 'clock' ? 3 * hour : place.grace,
    store,
    listenOn: 0,
    storeTimeout,
    flushInterval,
    flushTimeout,
    // So that there is a middle of a flush to die in.
    maxBatchSize: fault === 'crash' ? 4 : 5_000,
    sweepInterval: 1_000,
    idleTimeout: 2 * hour,
    absoluteTimeout: 24 * hour,
    // So that the database grows with every sign-in.
    metadataBytes: fault === 'full' ? 3_000 : 0,
  }
}

/** Whether this can go wrong with this store. */
export function concerns(fault: FaultName, store: StoreName): boolean {
  return faults[fault].course[store] !== undefined
}

/** Resolves how long it took until nobody was refused any more. */
async function resume({ tally, population }: Stage): Promise<number> {
  const ended = performance.now()
  const over = ended + resumeBoundMs + calmMs
  const busy = population.users.filter(({ isBusy }) => isBusy)
  for (;;) {
    await delay(20)
    const now = performance.now()
    const quiet = now - Math.max(ended, tally.lastRefusalAt) >= calmMs
    if ((quiet && busy.every(({ letInAt }) => letInAt > ended)) || now > over) break
  }
  return Math.max(0, tally.lastRefusalAt - ended)
}

export interface ScenarioOptions {
  /** The application: app.ts, compiled. */
  readonly program: string
  /** For how long the fault lasts. */
  readonly seconds: number
}

/** The fault, on one store, from a quiet beginning to a check of all that is left. */
export async function runScenario(
  fault: FaultName,
  ground: Ground,
  { program, seconds }: ScenarioOptions,
): Promise<Result> {
  const direct = await ground.open()
  try {
    const settings = settingsOf(fault, ground)
    const app = await AppProcess.start(program, settings)
    const lifetimes = { ...settings, lossBoundMs: faults[fault].lossBoundMs?.[ground.store] ?? 0 }
    const stage = new Stage(app, lifetimes, tallyFor(ground.store), direct, seconds * 1_000)
    try {
      return { fault, store: ground.store, seconds, ...(await endure(fault, ground, stage)) }
    } finally {
      stage.kill()
    }
  } finally {
    await direct?.close()
  }
}

function tallyFor(store: StoreName): Tally {
  // A statement of SQLite holds the whole process while it waits for a lock, and others wait behind it.
  return new Tally({ storeTimeout, heldMs: store === 'sqlite' ? 16 * busyTimeout : 0 })
}

async function endure(
  fault: FaultName,
  ground: Ground,
  stage: Stage,
): Promise<Omit<Result, 'fault' | 'store' | 'seconds'>> {
  const course = await play(fault, ground, stage)
  const { report, code } = await endOf(stage)
  const loss = await stage.loss()
  const { lossOfCrash, population, tally } = stage
  return {
    statuses: course.statuses,
    slowestMs: Math.round(course.slowestMs),
    resumeMs: Math.round(course.resumeMs),
    lossMs: (lossOfCrash ?? loss).ms,
    lossBoundMs: (lossOfCrash ?? loss).boundMs,
    dropped: report.stats.dropped,
    lost: report.stats.lost,
    sessions: population.devices.length,
    wronglyEnded: tally.findings.wronglyEnded.length,
    wronglyAccepted: tally.findings.wronglyAccepted.length,
    broken: [
      ...brokenPromises(fault, tally, { ...course, code }),
      ...brokenBy(loss),
      ...(lossOfCrash === null ? [] : brokenByCrash(lossOfCrash)),
      ...brokenCounts(report),
    ],
  }
}

interface Course {
  readonly statuses: Readonly<Record<string, number>>
  readonly slowestMs: number
  readonly resumeMs: number
}

async function play(name: FaultName, ground: Ground, stage: Stage): Promise<Course> {
  const { tally, population } = stage
  const { course, spared, sparedOn } = faults[name]
  const run = course[ground.store]
  if (run === undefined) throw new Error(`${name} does not concern ${ground.store}`)
  population.start()
  await delay(calmMs)
  tally.reset()
  tally.spared = sparedOn?.[ground.store] ?? spared
  tally.weather = 'fault'
  await run(ground, stage)
  const statuses = { ...tally.statuses }
  const resumeMs = await resume(stage)
  const { slowestMs } = tally
  tally.weather = 'calm'
  tally.reset()
  await population.stop()
  await stage.checkAll()
  return { statuses, slowestMs, resumeMs }
}

async function endOf(stage: Stage): Promise<{ report: Report; code: number | null }> {
  stage.disconnect()
  const { report, exit } = await stage.app.close()
  return { report, code: exit.code }
}

function brokenPromises(
  fault: FaultName,
  { findings, late }: Tally,
  { statuses, resumeMs, code }: { statuses: Course['statuses']; resumeMs: number; code: number | null },
): string[] {
  const { wronglyEnded, wronglyAccepted, unexpected } = findings
  return [
    ...wronglyEnded.map((what) => `a session was ended wrongly: ${what}`),
    ...wronglyAccepted.map((what) => `a session was accepted wrongly: ${what}`),
    ...unexpected,
    ...late,
    ...(resumeMs > resumeBoundMs ? [`it took ${Math.round(resumeMs)} ms to resume`] : []),
    ...(code === 0 ? [] : [`the application ended with ${code}`]),
    ...(Object.keys(statuses).length > 0 ? [] : ['nothing was asked, so nothing was tried']),
    ...(faults[fault].refuses && (statuses[503] ?? 0) === 0 ? ['the fault was not felt'] : []),
  ]
}

function brokenBy({ ms, missing, boundMs }: Loss): string[] {
  return [
    ...(ms > boundMs ? [`${ms} ms of activity were lost, of ${boundMs} at most`] : []),
    ...missing.map((id) => `the session ${id} was lost`),
  ]
}

function brokenByCrash(crash: LossOfCrash): string[] {
  const { boundMs, idleMs } = crash
  const late = idleMs > flushInterval + flushSlackMs
  const words = `the flush before the crash was ${boundMs} ms ago, and the process was idle for ${idleMs} of them`
  return [...brokenBy(crash), ...(late ? [words] : [])]
}

function brokenCounts({ stats: { dropped, lost } }: Report): string[] {
  if (dropped + lost === 0) return []
  return [`the tracker dropped the activity of ${dropped} and lost that of ${lost}`]
}
