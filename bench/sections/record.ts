import Fastify, { type FastifyInstance } from 'fastify'
import { isSessionId } from '../../lib/core/token.js'
import gosesh, { type ActivityTracker, MemoryStore, type SessionId } from '../../lib/index.js'
import { compareInRounds, type MicroComparison } from '../harness/micro.js'
import { idOf } from '../harness/seed.js'
import { exactly, type Section, show, showSpread } from '../report/result.js'

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

async function hotSession(id: SessionId, dates: readonly Date[]): Promise<MicroComparison> {
  const { app, tracker } = await startTracker()
  const bare = new Map<SessionId, Date>()
  const result = await compareInRounds({
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

async function pendingSessions(
  ids: readonly SessionId[],
  dates: readonly Date[],
  rounds: number,
): Promise<MicroComparison> {
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
  const result = await compareInRounds({ rounds, operations: ids.length, baseline, subject })
  await app.close()
  return result
}

function fillMap(ids: readonly SessionId[], date: Date): void {
  const map = new Map<SessionId, Date>()
  for (const id of ids) map.set(id, date)
}

async function newSessions(ids: readonly SessionId[], date: Date, rounds: number): Promise<MicroComparison> {
  const started = await Promise.all(Array.from({ length: rounds }, startTracker))
  const unused = started.map(({ tracker }) => tracker)
  const result = await compareInRounds({
    rounds,
    operations: ids.length,
    baseline: () => fillMap(ids, date),
    subject: () => {
      const tracker = unused.pop()
      for (const id of ids) tracker?.recordActivity(id, date)
    },
  })
  await Promise.all(started.map(({ app }) => app.close()))
  return result
}

/** The least that a new record takes: a look-up, the check of an id that came from outside, and the time. */
async function newByHand(ids: readonly SessionId[], date: Date, rounds: number): Promise<MicroComparison> {
  return await compareInRounds({
    rounds,
    operations: ids.length,
    baseline: () => fillMap(ids, date),
    subject: () => {
      const map = new Map<SessionId, number>()
      for (const id of ids) if (!map.has(id) && isSessionId(id)) map.set(id, date.getTime())
    },
  })
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

export const record: Section = {
  title: 'One record of activity',
  async run({ quick }) {
    const ids = Array.from({ length: million }, (_, i) => idOf(i))
    const anHourAgo = Date.now() - 3_600_000
    const dates = Array.from({ length: 1_000 }, (_, i) => new Date(anHourAgo + i))
    const [firstId, firstDate] = [ids[0] as SessionId, dates[0] as Date]
    const hot = await hotSession(firstId, dates)
    const pending = await pendingSessions(ids, dates, quick ? 5 : 25)
    const fresh = await newSessions(ids, firstDate, quick ? 5 : 9)
    const byHand = await newByHand(ids, firstDate, quick ? 3 : 9)
    const bytes = await bytesPerSession(ids, firstDate)
    const row = (title: string, { baseline, subject, ratio }: MicroComparison): string[] => [
      title,
      `${show(baseline.median)} ns`,
      `${show(subject.median)} ns`,
      showSpread(ratio),
    ]
    return {
      tables: [
        {
          title: 'One record of activity, beside a bare `Map.set` of the same key',
          columns: ['', '`Map.set`', '`recordActivity`', 'ratio'],
          rows: [
            row('one hot session', hot),
            row('a million sessions, all pending', pending),
            row('a million sessions, new to the tracker', fresh),
            row('the same by hand: look-up, check of the id, the time', byHand),
          ],
        },
      ],
      goals: [
        { measure: 'one record, hot session, over `Map.set`', goal: { atMost: 1.3 }, measured: hot.ratio },
        {
          measure: 'one record, a million pending, over `Map.set`',
          goal: { atMost: 1.8 },
          measured: pending.ratio,
        },
        {
          measure: 'one record, a million new, over `Map.set`',
          goal: { atMost: 1.8 },
          measured: fresh.ratio,
        },
        {
          measure: 'a pending session, over its id',
          goal: { atMost: 150 },
          unit: ' bytes',
          measured: exactly(bytes),
        },
      ],
      figures: { pendingBytes: bytes },
      notes: [`A pending session takes ${show(bytes)} bytes over its id.`],
    }
  },
}
