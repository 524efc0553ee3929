import { setTimeout as delay } from 'node:timers/promises'
import { AppProcess } from '../chaos/app-process.js'
import type { StoreName } from '../chaos/backend.js'
import { Client } from '../chaos/client.js'
import type { Lifetimes } from '../chaos/device.js'
import type { Ground } from '../chaos/ground.js'
import type { AppSettings, Measurement, Report } from '../chaos/protocol.js'
import { Tally } from '../chaos/tally.js'
import { Crowd } from './crowd.js'

export interface SoakOptions {
  /** The application: app.ts, compiled. */
  readonly program: string
  readonly seconds: number
  /** The part of the time after which the process should have grown as large as it gets. */
  readonly warmUpSeconds: number
  /** By how much the heap may differ from then to the end; 0.1 is a tenth. */
  readonly heapTolerance: number
}

export interface SoakResult {
  readonly store: StoreName
  readonly seconds: number
  readonly statuses: Readonly<Record<string, number>>
  /** Requests that were refused, by why. */
  readonly refusals: Readonly<Record<string, number>>
  readonly signIns: number
  readonly activity: Report['stats']
  readonly slowestMs: number
  readonly warm: Measurement
  readonly end: Measurement
  readonly wronglyEnded: number
  readonly wronglyAccepted: number
  /** What was not as it should be, in words. */
  readonly broken: readonly string[]
}

const lifetimes: Lifetimes = { idleTimeout: 4_000, absoluteTimeout: 45_000, lossBoundMs: 0 }
const flushInterval = 500

function settingsOf({ store, place }: Ground): AppSettings {
  return {
    ...place,
    ...lifetimes,
    store,
    listenOn: 0,
    storeTimeout: 2_000,
    flushInterval,
    flushTimeout: 750,
    maxBatchSize: 5_000,
    sweepInterval: 10_000,
    metadataBytes: 100,
  }
}

function grown(warm: Measurement, end: Measurement): string[] {
  return Object.entries(end.handles)
    .filter(([kind, count]) => count > (warm.handles[kind] ?? 0))
    .map(([kind, count]) => `${kind}: ${warm.handles[kind] ?? 0} became ${count}`)
}

function brokenHeap({ heapBytes: warm }: Measurement, { heapBytes: end }: Measurement, by: number): string[] {
  if (Math.abs(end - warm) <= by * warm) return []
  return [`the heap was ${warm} bytes after the warm-up and ${end} at the end`]
}

function brokenCounts({ stats, activeRequests }: Report, letIn: number): string[] {
  const { recorded, dropped, lost, failedFlushes } = stats
  return [
    ...(recorded === letIn && activeRequests === letIn
      ? []
      : [`${letIn} requests were let in, ${activeRequests} seen by the application, ${recorded} recorded`]),
    ...(dropped + lost + failedFlushes === 0
      ? []
      : [`${dropped} dropped, ${lost} lost, ${failedFlushes} flushes failed`]),
  ]
}

/** With nobody connected and nothing pending. */
async function measureAtRest(app: AppProcess, client: Client, crowd: Crowd): Promise<Measurement> {
  await crowd.hold()
  client.disconnect()
  await delay(2 * flushInterval)
  const measurement = await app.measure()
  crowd.release()
  return measurement
}

/** A crowd that comes and goes for that long, and what it did to the process. */
export async function runSoak(ground: Ground, options: SoakOptions): Promise<SoakResult> {
  const app = await AppProcess.start(options.program, settingsOf(ground))
  try {
    const client = new Client(app.port)
    const tally = new Tally({ storeTimeout: 2_000, heldMs: 0 })
    const crowd = new Crowd(client, tally, lifetimes)
    crowd.start()
    await delay(options.warmUpSeconds * 1_000)
    const warm = await measureAtRest(app, client, crowd)
    await delay((options.seconds - options.warmUpSeconds) * 1_000)
    const end = await measureAtRest(app, client, crowd)
    await crowd.stop()
    client.disconnect()
    const { report, exit } = await app.close()
    const { wronglyEnded, wronglyAccepted, unexpected } = tally.findings
    return {
      store: ground.store,
      seconds: options.seconds,
      statuses: tally.statuses,
      refusals: crowd.refusals,
      signIns: crowd.signIns,
      activity: report.stats,
      slowestMs: Math.round(tally.slowestMs),
      warm,
      end,
      wronglyEnded: wronglyEnded.length,
      wronglyAccepted: wronglyAccepted.length,
      broken: [
        ...wronglyEnded.map((what) => `a session was ended wrongly: ${what}`),
        ...wronglyAccepted.map((what) => `a session was accepted wrongly: ${what}`),
        ...unexpected,
        ...tally.late,
        ...brokenCounts(report, crowd.letIn),
        ...grown(warm, end),
        ...brokenHeap(warm, end, options.heapTolerance),
        ...(exit.code === 0 ? [] : [`the application ended with ${exit.signal ?? exit.code}`]),
      ],
    }
  } finally {
    app.kill()
  }
}
