import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import gosesh, { type SessionStore } from '../../lib/index.js'
import { addRoutes, cookieOf } from './app.js'

/** Rounds for each store; each is a schedule of its own. */
const runs = Number(process.env.CHANGE_RACES_RUNS ?? 60)

const kinds = ['reauthenticate', 'update', 'request', 'flush', 'extend', 'list'] as const

/** One thing that happens in a round: what, on which of two nodes, and after how many milliseconds. */
interface Step {
  readonly kind: (typeof kinds)[number] | 'delete'
  readonly node: 0 | 1
  readonly after: number
}

const node = fc.constantFrom<0 | 1>(0, 1)
const after = fc.nat(8)
const steps = fc.array(fc.record({ kind: fc.constantFrom(...kinds), node, after }), {
  minLength: 4,
  maxLength: 12,
})
const deletion = fc.option(fc.record({ kind: fc.constant('delete' as const), node, after }), { freq: 2 })
const schedule = fc
  .tuple(steps, deletion)
  .map(([some, last]): Step[] => (last === null ? some : [...some, last]))

async function startNode(t: Test, store: SessionStore): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { store, activityTracking: { flushInterval: 600_000 }, sweepInterval: null })
  addRoutes(app)
  await app.ready()
  return app
}

/** What came of a round. */
interface Outcome {
  readonly cookies: string[]
  readonly succeeded: string[]
  readonly keys: string[]
  deleted: boolean
}

async function perform(
  { kind, after: ms }: Step,
  app: FastifyInstance,
  store: SessionStore,
  { cookie, id, userId }: { cookie: string; id: never; userId: string },
  index: number,
  outcome: Outcome,
): Promise<void> {
  await delay(ms)
  const headers = { cookie }
  if (kind === 'reauthenticate') {
    const response = await app.inject({
      method: 'POST',
      url: '/confirm',
      headers,
      body: { factors: ['otp'] },
    })
    assert.ok([200, 401, 503].includes(response.statusCode), response.body)
    if (response.statusCode !== 200) return
    outcome.cookies.push(cookieOf(response))
    outcome.succeeded.push(cookieOf(response))
  } else if (kind === 'update') {
    const key = `key-${index}`
    if (await app.gosesh.updateMetadata(id, { [key]: key })) outcome.keys.push(key)
  } else if (kind === 'request') {
    const { statusCode } = await app.inject({ url: '/me', headers })
    assert.ok(statusCode === 200 || statusCode === 401)
  } else if (kind === 'flush') await app.gosesh.activityTracker?.flush()
  else if (kind === 'list') await app.gosesh.listUserSessions(userId)
  else if (kind === 'extend') {
    const now = new Date()
    await store.extendSession(id, { lastActivityAt: now, idleDeadline: new Date(now.getTime() + 1_800_000) })
  } else {
    await app.gosesh.deleteUserSessions(userId)
    outcome.deleted = true
  }
}

/** A round: a session, all that happens to it at once, and what has to hold afterwards. */
async function playRound(
  nodes: readonly FastifyInstance[],
  round: readonly Step[],
  number: number,
): Promise<void> {
  const [first] = nodes as [FastifyInstance]
  const userId = `user-${number}`
  const { session, token } = await first.gosesh.createSession(userId)
  const cookie = `__Host-session=${token}`
  const outcome: Outcome = { cookies: [cookie], succeeded: [], keys: [], deleted: false }
  const target = { cookie, id: session.id as never, userId }
  const settled = await Promise.allSettled(
    round.map((step, index) => {
      const app = nodes[step.node] as FastifyInstance
      return perform(step, app, app.gosesh.store, target, index, outcome)
    }),
  )
  for (const result of settled) if (result.status === 'rejected') throw result.reason
  for (const app of nodes) await app.gosesh.activityTracker?.flush()

  const stored = await first.gosesh.store.getSession(session.id)
  const listed = await first.gosesh.listUserSessions(userId)
  if (outcome.deleted) {
    assert.equal(stored, null, 'a deleted session stays deleted')
    assert.deepEqual(listed, [])
    return
  }
  assert.equal(listed.length, 1, 'the session is listed')
  const working: string[] = []
  for (const presented of outcome.cookies) {
    const response = await first.inject({ url: '/poll', headers: { cookie: presented } })
    if (response.json().session !== null) working.push(presented)
  }
  assert.equal(working.length, 1, 'exactly one token works')
  if (outcome.succeeded.length > 0) assert.ok(outcome.succeeded.includes(String(working[0])), 'a new one')
  for (const key of outcome.keys) assert.equal(stored?.metadata?.[key], key, 'no update is lost')
  const changes = outcome.succeeded.length + outcome.keys.length
  assert.equal(stored?.version, 1 + changes, 'each change counted once')
}

/**
 * Two nodes that share a store re-authenticate, change metadata, flush, extend, list and delete in many orders: nothing is
 * revived, no update is lost, and nobody is left without a token that works.
 */
export function changeRaces(
  t: Test,
  name: string,
  openStores: (t: Test) => Promise<[SessionStore, SessionStore]>,
): void {
  t.test(`${name}: ${runs} schedules of changes on two nodes`, async (t) => {
    const stores = await openStores(t)
    const nodes = [await startNode(t, stores[0]), await startNode(t, stores[1])]
    let number = 0
    const property = fc.asyncProperty(schedule, (round) => playRound(nodes, round, ++number))
    await t.resolves(fc.assert(property, { numRuns: runs, endOnFailure: true }))
  })
}
