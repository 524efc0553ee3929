import { createHash } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import gosesh, { type ActivityTracker, MemoryStore, type SessionId } from '../lib/index.js'
import { type Comparison, compareInRounds } from './rounds.js'

const million = 1_000_000
const longestTimer = 2 ** 31 - 1

/** A tracker as an application gets it, whose flushes keep nothing: they are not what is measured. */
async function startTracker(): Promise<{ app: FastifyInstance; tracker: ActivityTracker }> {
  const app = Fastify()
  const store = new MemoryStore()
  store.batchRecordActivity = async (updates) => updates.size
  await app.register(gosesh, {
    store,
    activityTracking: { flushInterval: longestTimer, maxPending: 2 * million },
  })
  await app.ready()
  return { app, tracker: app.gosesh.activityTracker as ActivityTracker }
}

function print(title: string, { baselineNs, subjectNs, ratio, spread }: Comparison): void {
  const times = `Map.set ${baselineNs.toFixed(0).padStart(4)} ns, recordActivity ${subjectNs.toFixed(0).padStart(4)} ns`
  const range = spread.map((value) => value.toFixed(2)).join(' to ')
  console.log(`  ${title.padEnd(30)} ${times}, ratio ${ratio.toFixed(2)} (${range})`)
}

async function hotSession(id: SessionId, dates: readonly Date[]): Promise<Comparison> {
  const { app, tracker } = await startTracker()
  const bare = new Map<SessionId, Date>()
  const result = compareInRounds({
    rounds: 101,
    operations: 200 * dates.length,
    baseline: () => {
      for (let i = 0; i < 200; i++) for (const date of dates) bare.set(id, date)
    },
    subject: () => {
      for (let i = 0; i < 200; i++) for (const date of dates) tracker.recordActivity(id, date)
    },
  })
  await app.close()
  return result
}

async function pendingSessions(ids: readonly SessionId[], dates: readonly Date[]): Promise<Comparison> {
  const { app, tracker } = await startTracker()
  const bare = new Map<SessionId, Date>()
  let round = 0
  const baseline = (): void => {
    for (const id of ids) bare.set(id, dates[round] as Date)
  }
  const subject = (): void => {
    round++
    for (const id of ids) tracker.recordActivity(id, dates[round] as Date)
  }
  baseline()
  subject()
  const result = compareInRounds({ rounds: 15, operations: ids.length, baseline, subject })
  await app.close()
  return result
}

async function newSessions(ids: readonly SessionId[], date: Date): Promise<Comparison> {
  const started = await Promise.all(Array.from({ length: 7 }, startTracker))
  const unused = started.map(({ tracker }) => tracker)
  const result = compareInRounds({
    rounds: started.length,
    operations: ids.length,
    baseline: () => {
      const map = new Map<SessionId, Date>()
      for (const id of ids) map.set(id, date)
    },
    subject: () => {
      const tracker = unused.pop()
      for (const id of ids) tracker?.recordActivity(id, date)
    },
  })
  await Promise.all(started.map(({ app }) => app.close()))
  return result
}

async function bytesPerSession(ids: readonly SessionId[], date: Date): Promise<number> {
  const { app, tracker } = await startTracker()
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  for (const id of ids) tracker.recordActivity(id, date)
  globalThis.gc?.()
  const bytes = (process.memoryUsage().heapUsed - before) / tracker.pendingCount
  await app.close()
  return bytes
}

/** What one record costs beside a bare `Map.set` of the same key, and what a pending session weighs. */
export async function recordSection(): Promise<void> {
  console.log('One record of activity, beside a bare Map.set of the same key')
  const ids = Array.from(
    { length: million },
    (_, index) => createHash('sha256').update(String(index)).digest('base64url') as SessionId,
  )
  const anHourAgo = Date.now() - 3_600_000
  const dates = Array.from({ length: 1_000 }, (_, index) => new Date(anHourAgo + index))
  const [firstId, firstDate] = [ids[0] as SessionId, dates[0] as Date]
  print('one hot session', await hotSession(firstId, dates))
  print('a million, all pending', await pendingSessions(ids, dates))
  print('a million, new to the tracker', await newSessions(ids, firstDate))
  console.log(
    `  a pending session takes ${(await bytesPerSession(ids, firstDate)).toFixed(0)} bytes over its id`,
  )
}
