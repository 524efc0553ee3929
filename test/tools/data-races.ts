import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Test } from 'tap'
import type {
  ActivityRecorder,
  ExpiredSessionSweeper,
  SessionDataStore,
  SessionId,
  SessionStore,
  SessionUpdater,
} from '../../lib/index.js'
import { activeAt, hour, later, minute, newSession } from '../../lib/testing/fixtures.js'
import { dataPerKey } from './data-updates.js'

/** Schedules for each store. */
const runs = Number(process.env.DATA_RACES_RUNS ?? 150)
/** Schedules that are played at once. */
const atOnce = 10

const kinds = ['write', 'swap', 'take', 'read', 'extend', 'flush', 'update'] as const
const ends = ['delete', 'deleteOfUser', 'sweep'] as const

/** One call, on one of two nodes, that begins after so many turns of the event loop. */
interface Step {
  readonly kind: (typeof kinds)[number] | (typeof ends)[number]
  readonly node: 0 | 1
  readonly turns: number
}

type Node = SessionStore &
  SessionDataStore &
  SessionUpdater &
  ActivityRecorder &
  Partial<ExpiredSessionSweeper>

const limits = { maxKeys: 3 }
const step = <K extends Step['kind']>(of: readonly K[]) =>
  fc.record({
    kind: fc.constantFrom(...of),
    node: fc.constantFrom<0 | 1>(0, 1),
    turns: fc.nat(12),
  })
const schedule = fc.record({
  steps: fc.array(step(kinds), { minLength: 3, maxLength: 10 }),
  end: fc.option(step(ends), { freq: 4 }),
})

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function perform(
  { kind }: Step,
  store: Node,
  { id, userId, createdAt }: ReturnType<typeof newSession>,
  index: number,
): Promise<void> {
  const key = `key ${index % 4}`
  if (kind === 'write') await store.writeData(id, new Map([[key, String(index)]]), limits)
  else if (kind === 'swap') await store.swapData(id, key, null, String(index), limits)
  else if (kind === 'take') {
    const found = await store.readData(id, [key])
    await store.swapData(id, key, found?.get(key) ?? null, null, limits)
  } else if (kind === 'read') await store.readData(id, null)
  else if (kind === 'extend') {
    const { lastActivityAt, idleDeadline } = activeAt(newSession(), later(createdAt, minute))
    await store.extendSession(id, { lastActivityAt, idleDeadline })
  } else if (kind === 'flush') await store.batchRecordActivity(new Map([[id, later(createdAt, minute)]]))
  else if (kind === 'update') await store.updateSession(id, 1, { details: 'changed' })
  else if (kind === 'delete') await store.deleteSession(id)
  else if (kind === 'deleteOfUser') await store.deleteUserSessions(String(userId))
  // In Redis they expire by themselves.
  else await store.deleteExpiredSessions?.(new Date(), 1_000)
}

async function play(
  nodes: readonly Node[],
  { steps, end }: { steps: readonly Step[]; end: Step | null },
  userId: string,
): Promise<SessionId> {
  // A sweep ends those that have expired, also of the schedules beside this one.
  const swept = end?.kind === 'sweep'
  const session = newSession({ userId, ...(swept && { age: 2 * hour }) })
  const { id } = session
  const [first] = nodes as [Node]
  await first.createSession(session, new Map([['key 0', '0']]))
  const all = end === null ? steps : [...steps, end]
  await Promise.all(
    all.map(async (each, index) => {
      await turns(each.turns)
      await perform(each, nodes[each.node] as Node, session, index)
    }),
  )
  // A sweep passes over what another one has locked, and which that one may leave to it.
  for (let tries = 0; swept && tries < 100 && (await first.getSession(id)) !== null; tries++) {
    await first.deleteExpiredSessions?.(new Date(), 1_000)
  }
  const data = await first.readData(id, null)
  const found = await first.getSession(id)
  assert.equal(data === null, end !== null, 'there is data to be read if the session was not ended')
  assert.equal(found === null, end !== null, 'an ended session stays so')
  assert.ok((data?.size ?? 0) <= limits.maxKeys, 'there are no more keys than there may be')
  // A session of the same id, as no application makes one, would find what was left behind.
  if (end !== null) {
    await first.createSession(session)
    assert.deepEqual((await first.readData(id, null)) ?? new Map(), new Map(), 'nothing is left behind')
  }
  return id
}

/**
 * Two nodes that share a store write data while sessions are read, moved and deleted, in many orders. `leftBehind` counts what the
 * server holds of sessions that are gone.
 */
export function dataRaces(
  t: Test,
  name: string,
  open: (t: Test) => Promise<{ stores: [SessionStore, SessionStore]; leftBehind: () => Promise<number> }>,
): void {
  t.test(`${name}: data is per key`, async (t) => {
    const { stores } = await open(t)
    await dataPerKey(t, stores[0])
  })

  t.test(`${name}: ${runs} schedules of writes of data against deletions`, async (t) => {
    const { stores, leftBehind } = await open(t)
    const nodes = stores as unknown as Node[]
    let number = 0
    const property = fc.asyncProperty(
      fc.array(schedule, { minLength: atOnce, maxLength: atOnce }),
      async (schedules) => {
        const ids = await Promise.all(schedules.map((each) => play(nodes, each, `user ${++number}`)))
        for (const id of ids) await nodes[0]?.deleteSession(id)
      },
    )
    await t.resolves(fc.assert(property, { numRuns: Math.ceil(runs / atOnce), endOnFailure: true }))
    t.equal(await leftBehind(), 0)
  })
}
