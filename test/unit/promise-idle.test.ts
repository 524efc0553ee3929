import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { MemoryStore } from '../../lib/index.js'
import { buildApp, signIn, whoami } from '../tools/app.js'
import { fakeTime, settle } from '../tools/clock.js'
import { WatchedStore } from '../tools/store.js'

const second = 1_000
const minute = 60 * second

/** Two nodes of one application on one store, which sees no activity of a node before it is written. */
async function twoNodes(t: Test): Promise<{ active: FastifyInstance; judge: FastifyInstance }> {
  const store = new MemoryStore()
  const [active, judge] = [1, 2].map(() => buildApp(t, { store, activityTracking: {} }))
  await judge?.ready()
  return { active, judge } as { active: FastifyInstance; judge: FastifyInstance }
}

t.test('promise 2: idle means idle', async (t) => {
  for (const tracking of [true, false]) {
    const options = { activityTracking: tracking ? { flushInterval: 30 * second } : (false as const) }

    t.test(`active at 19 and 29 of 30 minutes, tracking ${tracking ? 'on' : 'off'}`, async (t) => {
      const time = fakeTime(t)
      const app = buildApp(t, options)
      const { cookie } = await signIn(app)
      await time.advance(19 * minute)
      t.ok(await whoami(app, cookie), 'alive at 19 minutes')
      await time.advance(10 * minute)
      t.ok(await whoami(app, cookie), 'alive at 29 minutes')
      await time.advance(30 * minute - 1, minute)
      t.ok(await whoami(app, cookie, '/poll'), 'alive a millisecond before 30 idle minutes')
      await time.advance(1)
      t.equal(await whoami(app, cookie, '/poll'), null, 'ended after 30 idle minutes')
    })

    t.test(
      `a 45-second idle timeout and a request a second, tracking ${tracking ? 'on' : 'off'}`,
      async (t) => {
        const time = fakeTime(t)
        const app = buildApp(t, options)
        const { cookie } = await signIn(app, { idleTimeout: 45 * second })
        for (let i = 0; i < 203; i++) {
          await time.advance(second)
          if ((await whoami(app, cookie)) === null) t.fail(`ended after ${i + 1} seconds of activity`)
        }
        await time.advance(45 * second - 1)
        t.equal(
          (await whoami(app, cookie, '/poll')) !== null,
          tracking,
          'exact with tracking, sooner without',
        )
        await time.advance(1)
        t.equal(await whoami(app, cookie, '/poll'), null)
      },
    )
  }

  t.test('with tracking off a session ends at most one refresh interval sooner', async (t) => {
    const time = fakeTime(t)
    const app = buildApp(t)
    const { cookie } = await signIn(app)
    await time.advance(minute)
    t.ok(await whoami(app, cookie), 'not older than the interval, so not written')
    await time.advance(29 * minute - 1, minute)
    t.ok(await whoami(app, cookie, '/poll'))
    await time.advance(1)
    t.equal(await whoami(app, cookie, '/poll'), null)
  })

  t.test('active on one node, judged on the other', async (t) => {
    const time = fakeTime(t)
    const { active, judge } = await twoNodes(t)
    const { cookie } = await signIn(active)
    for (let i = 0; i < 90; i++) {
      await time.advance(minute, 5 * second)
      t.ok(await whoami(active, cookie), `active node, minute ${i + 1}`)
    }
    await time.advance(30 * minute - 1, minute)
    t.ok(await whoami(judge, cookie, '/poll'), 'the other node knows of the last activity')
    await time.advance(1)
    t.equal(await whoami(judge, cookie, '/poll'), null, 'and of the idle deadline')
    t.equal(await whoami(active, cookie, '/poll'), null)
  })

  t.test('a request just outside the margin reaches the other node before the deadline', async (t) => {
    const time = fakeTime(t)
    const { active, judge } = await twoNodes(t)
    const { cookie } = await signIn(active)
    await time.advance(30 * minute - 65 * second, minute)
    t.ok(await whoami(active, cookie))
    await time.advance(65 * second)
    t.ok(await whoami(judge, cookie, '/poll'))
  })

  t.test('a session whose deadline passes while its flush is in flight', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: { flushTimeout: 60 * minute }, storeTimeout: second })
    const { cookie } = await signIn(app, { idleTimeout: 10 * minute })
    await time.advance(5 * minute)
    store.fail('extendSession')
    t.ok(await whoami(app, cookie))
    const release = store.hold('batchRecordActivity')
    const flush = app.gosesh.activityTracker?.flush()
    await time.advance(6 * minute)
    t.ok(await whoami(app, cookie, '/poll'), 'judged on the activity in flight')
    release()
    await flush
    t.ok(await whoami(app, cookie, '/poll'))
  })

  t.test('a burst near the deadline makes one extension', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    const { cookie } = await signIn(app)
    await time.advance(29.5 * minute, minute)
    store.reset()
    const release = store.hold('extendSession')
    const burst = Array.from({ length: 100 }, () => app.inject({ url: '/me', headers: { cookie } }))
    await settle()
    release()
    const statuses = (await Promise.all(burst)).map((response) => response.statusCode)
    t.equal(statuses.filter((status) => status === 200).length, 100)
    t.same(store.counts, { getSession: 100, extendSession: 1 })
    await whoami(app, cookie)
    t.equal(store.counts.extendSession, 1, 'and none once it is extended')
  })

  t.test('a flush that ends while the session is read, from before it', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: { flushInterval: 60 * minute } })
    const { cookie } = await signIn(app, { idleTimeout: 10 * minute })
    store.fail('extendSession')
    await time.advance(5 * minute, minute)
    await whoami(app, cookie)
    await time.advance(6 * minute, minute)
    store.on('getSession', async (proceed) => {
      const stale = await proceed()
      await app.gosesh.activityTracker?.flush()
      return stale
    })
    t.ok(await whoami(app, cookie, '/poll'), 'judged on what was pending when the read began')
  })

  t.test('a request is judged as it arrived, however long the read takes', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, storeTimeout: minute })
    const { cookie } = await signIn(app, { idleTimeout: 10 * minute })
    await time.advance(10 * minute - 1, minute)
    const release = store.hold('getSession')
    const slow = whoami(app, cookie, '/poll')
    await settle()
    await time.advance(1_000)
    release()
    t.ok(await slow)
    t.equal(await whoami(app, cookie, '/poll'), null)
  })

  t.test('the absolute deadline stands, whatever the activity', async (t) => {
    const time = fakeTime(t)
    const app = buildApp(t, { activityTracking: {} })
    const { cookie } = await signIn(app, { absoluteTimeout: 40 * minute })
    await time.advance(29 * minute, minute)
    t.ok(await whoami(app, cookie))
    await time.advance(11 * minute - 1, minute)
    t.ok(await whoami(app, cookie))
    await time.advance(1)
    t.equal(await whoami(app, cookie), null)
  })

  t.test('no extension is made that would not move the deadline', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const { cookie } = await signIn(app, { absoluteTimeout: 10 * minute, idleTimeout: 10 * minute })
    await time.advance(9 * minute, minute)
    t.ok(await whoami(app, cookie))
    t.equal(store.counts.extendSession, undefined)
  })
})
