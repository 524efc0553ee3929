import { createHash } from 'node:crypto'
import Fastify from 'fastify'
import gosesh, { MemoryStore } from 'gosesh'
import { compareInRounds } from './rounds.js'

/** @typedef {import('gosesh').SessionId} SessionId */

const million = 1_000_000
const longestTimer = 2 ** 31 - 1

/** A tracker as an application gets it, whose flushes keep nothing: they are not what is measured. */
async function startTracker() {
  const app = Fastify()
  const store = new MemoryStore()
  store.batchRecordActivity = async (updates) => updates.size
  await app.register(gosesh, {
    store,
    activityTracking: { flushInterval: longestTimer, maxPending: 2 * million },
  })
  await app.ready()
  return { app, tracker: /** @type {import('gosesh').ActivityTracker} */ (app.gosesh.activityTracker) }
}

/** @param {string} title @param {ReturnType<typeof compareInRounds>} result */
function print(title, { baselineNs, subjectNs, ratio, spread }) {
  const times = `Map.set ${baselineNs.toFixed(0).padStart(4)} ns, recordActivity ${subjectNs.toFixed(0).padStart(4)} ns`
  console.log(`${title.padEnd(30)} ${times}, ratio ${ratio.toFixed(2)} (${spread.join(' to ')})`)
}

/** @param {SessionId} id @param {Date[]} dates */
async function hotSession(id, dates) {
  const { app, tracker } = await startTracker()
  const bare = new Map()
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

/** @param {SessionId[]} ids @param {Date[]} dates */
async function pendingSessions(ids, dates) {
  const { app, tracker } = await startTracker()
  const bare = new Map()
  let date = /** @type {Date} */ (dates[0])
  const baseline = () => {
    for (const id of ids) bare.set(id, date)
  }
  const subject = () => {
    for (const id of ids) tracker.recordActivity(id, date)
  }
  baseline()
  subject()
  let round = 0
  const result = compareInRounds({
    rounds: 15,
    operations: ids.length,
    baseline,
    subject: () => {
      date = /** @type {Date} */ (dates[++round])
      subject()
    },
  })
  await app.close()
  return result
}

/** @param {SessionId[]} ids @param {Date} date */
async function newSessions(ids, date) {
  const started = await Promise.all(Array.from({ length: 7 }, startTracker))
  const unused = started.map(({ tracker }) => tracker)
  const result = compareInRounds({
    rounds: started.length,
    operations: ids.length,
    baseline: () => {
      const map = new Map()
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

/** @param {SessionId[]} ids @param {Date} date */
async function bytesPerSession(ids, date) {
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
export async function recordSection() {
  console.log('One record of activity, beside a bare Map.set of the same key')
  const ids = Array.from(
    { length: million },
    (_, index) => /** @type {SessionId} */ (createHash('sha256').update(String(index)).digest('base64url')),
  )
  const anHourAgo = Date.now() - 3_600_000
  const dates = Array.from({ length: 1_000 }, (_, index) => new Date(anHourAgo + index))
  const [firstId, firstDate] = [/** @type {SessionId} */ (ids[0]), /** @type {Date} */ (dates[0])]
  print('one hot session', await hotSession(firstId, dates))
  print('a million, all pending', await pendingSessions(ids, dates))
  print('a million, new to the tracker', await newSessions(ids, firstDate))
  console.log(
    `a pending session takes ${(await bytesPerSession(ids, firstDate)).toFixed(0)} bytes over its id`,
  )
}
