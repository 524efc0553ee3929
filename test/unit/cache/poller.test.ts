import t from 'tap'
import { RevocationPoller } from '../../../lib/cache/revocation-poller.js'
import { SessionCache } from '../../../lib/cache/session-cache.js'
import type { Revocations, SessionId } from '../../../lib/index.js'
import { buildApp, signIn, whoami } from '../../tools/app.js'
import { fakeTime, settle } from '../../tools/clock.js'
import { LoggedStore } from '../../tools/logged-store.js'
import { recordingLogger } from '../../tools/logger.js'

const id = 'a'.repeat(22) as SessionId

/** A poller over a log whose answers the test gives. */
function pollerOver(answer: (cursor: string | null) => Promise<Revocations>) {
  const clocks = { now: 0 }
  const cache = new SessionCache(
    { maxStaleness: 2_000, maxEntryAge: 300_000, maxSessions: 10 },
    { monotonic: () => clocks.now, wall: () => clocks.now },
  )
  const heard: unknown[] = []
  const logger = recordingLogger()
  const listener = {
    ended: (ids: unknown) => void heard.push(ids),
    unknown: () => void heard.push('unknown'),
  }
  const poller = new RevocationPoller({ readRevocations: answer }, 100, cache, listener, logger)
  return { poller, cache, clocks, heard, logger }
}

t.test('a poll proves what was before it began, not before it was answered', async (t) => {
  const { poller, cache, clocks } = pollerOver(async () => {
    clocks.now += 500
    return { cursor: '1', entries: [] }
  })
  await poller.poll()
  t.equal(cache.stats.provenAgeMs, 500)
})

t.test('one that fails proves nothing, keeps the cursor, and is warned of once', async (t) => {
  const cursors: (string | null)[] = []
  let fails = false
  const { poller, cache, clocks, heard, logger } = pollerOver(async (cursor) => {
    cursors.push(cursor)
    if (fails) throw new Error('down')
    return { cursor: String(cursors.length), entries: [{ id, ended: true }] }
  })
  await poller.poll()
  t.same(heard, [], 'what the first answer says is of the time before it')
  fails = true
  clocks.now = 100
  for (let i = 0; i < 3; i++) await t.rejects(poller.poll(), { message: 'down' })
  t.equal(cache.stats.provenAgeMs, 100)
  t.match(logger.lines, [{ level: 'warn' }])
  fails = false
  await poller.poll()
  t.same(cursors, [null, '1', '1', '1', '1'])
  t.same(heard, [[id]])
  t.match(logger.lines, [{ level: 'warn' }, { level: 'info' }])
  t.equal(cache.stats.provenAgeMs, 0)
})

t.test('an answer that is none is a failure, and is asked for again', async (t) => {
  const cursors: (string | null)[] = []
  const { poller } = pollerOver(async (cursor) => {
    cursors.push(cursor)
    const entries = cursor === null ? [] : ([null] as never[])
    return { cursor: String(cursors.length), entries }
  })
  await poller.poll()
  await t.rejects(poller.poll())
  await t.rejects(poller.poll())
  t.same(cursors, [null, '1', '1'])
})

t.test('a log that cannot tell is told of, and warned of, but for its first answer', async (t) => {
  const { poller, heard, logger } = pollerOver(async () => ({ cursor: '1', entries: null }))
  await poller.poll()
  t.same(heard, [])
  await poller.poll()
  t.same(heard, ['unknown'])
  t.match(logger.lines, [{ level: 'warn' }])
})

t.test('polls run one after the other, and whoever asks during one shares the next', async (t) => {
  let running = 0
  let polls = 0
  let release = (): void => {}
  const { poller } = pollerOver(async () => {
    polls++
    t.equal(++running, 1)
    await new Promise<void>((resolve) => {
      release = resolve
    })
    running--
    if (polls === 2) throw new Error('down')
    return { cursor: '1', entries: [] }
  })
  const first = poller.poll()
  const shared = [poller.poll(), poller.poll()]
  t.equal(shared[0], shared[1])
  await settle()
  t.equal(polls, 1)
  release()
  await first
  const direct = poller.poll()
  await settle()
  t.equal(polls, 2)
  release()
  await Promise.all([t.rejects(direct), ...shared.map((poll) => t.rejects(poll))])
  const last = poller.poll()
  release()
  await last
  t.equal(polls, 3)
})

t.test('whoever asks as soon as one has ended begins the one that others wait for', async (t) => {
  let polls = 0
  const { poller } = pollerOver(async () => ({ cursor: String(++polls), entries: [] }))
  const first = poller.poll()
  const direct = first.then(() => poller.poll())
  await Promise.all([direct, poller.poll()])
  t.equal(polls, 2)
  await Promise.all([poller.poll(), poller.poll(), poller.poll()])
  t.equal(polls, 4)
})

t.test('in an app', async (t) => {
  t.test('the log is asked at the start, then every pollInterval, until the app closes', async (t) => {
    const time = fakeTime(t)
    const store = new LoggedStore()
    const app = buildApp(t, { store, sessionCache: { pollInterval: 1_000, maxStaleness: 4_000 } })
    await app.ready()
    t.equal(store.polls, 1)
    await time.advance(3_100, 100)
    t.equal(store.polls, 4)
    await app.close()
    await time.advance(3_000, 100)
    t.equal(store.polls, 4)
  })

  t.test('a log that is down at the start only costs reads, until it is back', async (t) => {
    const time = fakeTime(t)
    const store = new LoggedStore()
    const logger = recordingLogger()
    store.beforePoll = () => Promise.reject(new Error('down'))
    const app = buildApp(t, { store, logger, sessionCache: { pollInterval: 1_000, maxStaleness: 4_000 } })
    await app.ready()
    const { cookie } = await signIn(app)
    t.equal(logger.above('info').length, 1)
    await whoami(app, cookie)
    await whoami(app, cookie)
    t.match(app.gosesh.cacheStats, { hits: 0, misses: 2, provenAgeMs: null })
    store.beforePoll = () => {}
    await time.advance(1_000)
    await whoami(app, cookie)
    await whoami(app, cookie)
    t.match(app.gosesh.cacheStats, { hits: 1, misses: 3 })
  })
})
