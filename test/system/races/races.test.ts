import assert from 'node:assert/strict'
import t from 'tap'
import type { SessionExtension } from '../../../types/store.js'
import { assertVerdicts, type Device, type Operation, ordersOf, type Race, raceTest } from './race.js'

const minute = 60_000

async function flushAll({ app }: Race): Promise<void> {
  await app.gosesh.activityTracker?.flush()
  assert.equal(
    app.gosesh.activityTracker?.pendingCount ?? 0,
    0,
    'all that was pending is written or forgotten',
  )
}

/** The device that a sign-in was for lives, but where it was complete before the end of all sessions began. */
async function assertSpared(
  race: Race,
  signIn: Operation<Device>,
  end: Operation<unknown>,
): Promise<boolean> {
  const lives = await race.lives(signIn.result)
  if (signIn.ended < end.began) assert.equal(lives, false, 'a session from before is ended')
  if (signIn.began > end.ended) assert.equal(lives, true, 'a session from after lives')
  return lives
}

/** The times that the store was asked to move the device's session to. */
function extensionsOf({ store }: Race, { session }: Device): number[] {
  return store.calls
    .filter(({ method, args }) => method === 'extendSession' && args[0] === session.id)
    .map(({ args }) => (args[1] as SessionExtension).lastActivityAt.getTime())
}

for (const activityTracking of [{}, false] as const) {
  const tracking = `tracking ${activityTracking ? 'on' : 'off'}`

  raceTest(
    t,
    `sign-out against slow requests of the session, ${tracking}`,
    { activityTracking },
    async (race) => {
      const [device, other] = [await race.device(), await race.device()]
      const out = race.signOut('sign-out', device)
      const requests = [1, 2].map((n) => race.request(`request ${n}`, device))
      const otherRequest = race.request('request of another device', other)
      await race.run()
      assertVerdicts(await Promise.all(requests), await out)
      assert.ok((await otherRequest).result, 'the other device stays signed in')
      await flushAll(race)
      assert.equal(await race.lives(device), false)
      assert.equal(await race.lives(other), true)
    },
  )

  raceTest(t, `sign-out against an extension in flight, ${tracking}`, { activityTracking }, async (race) => {
    const [device, other] = [await race.device(), await race.device()]
    // Each request wants an extension: off, as the stored activity is old; on, as the deadline is near.
    race.advance(29.5 * minute)
    const out = race.signOut('sign-out', device)
    const requests = [1, 2].map((n) => race.request(`request ${n}`, device))
    const otherRequests = [1, 2].map((n) => race.request(`request ${n} of another device`, other))
    await race.run()
    assertVerdicts(await Promise.all(requests), await out)
    assert.ok(race.store.counts.extendSession, 'extensions were under way')
    const arrivals = (await Promise.all(otherRequests)).map(({ result, at }) => {
      assert.ok(result, 'the other device stays signed in')
      return at
    })
    await flushAll(race)
    assert.equal(await race.lives(device), false)
    assert.equal(await race.lives(other), true)
    // With tracking off, requests that want an extension at once share one, which may be any of theirs.
    const written = activityTracking ? arrivals : extensionsOf(race, other)
    assert.ok(written.every((at) => arrivals.includes(at)))
    assert.equal(await race.lastActivity(other), Math.max(...written), 'the latest time stands')
  })

  raceTest(t, `two sign-outs of one session at once, ${tracking}`, { activityTracking }, async (race) => {
    const device = await race.device()
    const ends: unknown[] = []
    race.app.gosesh.onSessionEnd(({ reason, sessionId, userId }) => ends.push({ reason, sessionId, userId }))
    const outs = [race.signOut('sign-out 1', device), race.signOut('sign-out 2', device)]
    const request = race.request('request', device)
    await race.run()
    const [one, two] = (await Promise.all(outs)) as [Operation<void>, Operation<void>]
    assertVerdicts([await request], {
      label: 'both sign-outs',
      began: Math.min(one.began, two.began),
      ended: Math.min(one.ended, two.ended),
    })
    await flushAll(race)
    assert.equal(await race.lives(device), false)
    const { id, userId } = device.session
    assert.deepEqual(
      ends.map((end) => ({ ...(end as object), userId })),
      [{ reason: 'signedOut', sessionId: id, userId }],
      'told of once',
    )
  })
}

raceTest(
  t,
  'sign-out against flushes, a batch in flight',
  { activityTracking: { maxBatchSize: 1 } },
  async (race) => {
    const [device, other] = [await race.device(), await race.device()]
    for (const active of [device, other]) await race.visit(active)
    const out = race.signOut('sign-out', device)
    const flushes = [race.flush('flush 1'), race.flush('flush 2')]
    const request = race.request('request', device)
    const otherRequests = [1, 2].map((n) => race.request(`request ${n} of another device`, other))
    await race.run()
    assertVerdicts([await request], await out)
    await Promise.all(flushes)
    const arrivals = (await Promise.all(otherRequests)).map(({ at }) => at)
    await flushAll(race)
    assert.equal(await race.lastActivity(other), Math.max(...arrivals), 'the last activity is written')
    assert.equal(await race.lives(device), false)
    const stats = race.app.gosesh.activityTracker?.stats
    assert.deepEqual([stats?.dropped, stats?.lost, stats?.failedFlushes], [0, 0, 0])
  },
)

raceTest(t, 'sign-out everywhere against a sign-in', { activityTracking: {} }, async (race) => {
  const [device, another, stranger] = [await race.device(), await race.device(), await race.device('bo')]
  const everywhere = race.signOut('sign-out everywhere', device, '/logout-everywhere')
  const signIn = race.signIn('sign-in')
  const requests = [race.request('request', device), race.request('request of another device', another)]
  await race.run()
  const end = await everywhere
  assertVerdicts(await Promise.all(requests), end)
  await flushAll(race)
  assert.equal(await race.lives(device), false)
  assert.equal(await race.lives(another), false)
  assert.equal(await race.lives(stranger), true, 'nobody else is signed out')
  await assertSpared(race, await signIn, end)
})

raceTest(
  t,
  'the end of all sessions against a sign-in and its first request',
  { activityTracking: {} },
  async (race) => {
    const device = await race.device()
    const all = race.do('end of all', () => race.app.gosesh.deleteAllSessions())
    const signIn = race.signIn('sign-in')
    const firstRequest = signIn.then(({ result }) => race.request('first request', result))
    const request = race.request('request', device)
    await race.run()
    const end = await all
    assertVerdicts([await request], end)
    const { ended, at, result } = await firstRequest
    const lives = await assertSpared(race, await signIn, end)
    if (result === null) assert.ok(ended > end.began, 'refused only by the end of all')
    await flushAll(race)
    assert.equal(await race.lives(device), false)
    if (!lives) return
    assert.ok(result, 'a session that lives on is not refused')
    const written = await race.lastActivity((await signIn).result)
    assert.equal(written, at, 'the activity of a session that lives on is written')
  },
)

raceTest(t, 'sign-ins at once that present the same cookie', { activityTracking: {} }, async (race) => {
  const presented = await race.device()
  const signIns = [1, 2].map((n) => race.signIn(`sign-in ${n}`, () => presented.cookie))
  const request = race.request('request', presented)
  await race.run()
  const begun = await Promise.all(signIns)
  assertVerdicts([await request], {
    label: 'both sign-ins',
    began: Math.min(...begun.map(({ began }) => began)),
    ended: Math.min(...begun.map(({ ended }) => ended)),
  })
  await flushAll(race)
  assert.equal(await race.lives(presented), false, 'the presented session is gone')
  // Each answer's cookie is good: the server cannot know which of them the browser keeps.
  for (const { result } of begun) assert.equal(await race.lives(result), true)
  assert.equal((await race.store.listUserSessions('ada')).length, begun.length, 'and no other session')
})

raceTest(t, 'sign-ins of a browser, which keeps the last cookie', { activityTracking: {} }, async (race) => {
  const first = await race.device()
  let jar = first.cookie
  const presented = new Set<string>()
  const signIns = [1, 2, 3].map((n) => {
    const signIn = race.signIn(`sign-in ${n}`, () => {
      presented.add(jar)
      return jar
    })
    return signIn.then((operation) => {
      jar = operation.result.cookie
      return operation.result
    })
  })
  await race.run()
  const devices = [first, ...(await Promise.all(signIns))]
  for (const device of devices) {
    const expected = !presented.has(device.cookie)
    assert.equal(await race.lives(device), expected, 'a session lives until it is replaced')
    if (device.cookie === jar) assert.ok(expected, 'the cookie that the browser keeps is good')
  }
})

raceTest(t, 'two sign-ins on one reply', { activityTracking: {} }, async (race) => {
  const presented = await race.device()
  const signIn = race.signIn('two sign-ins', () => presented.cookie, '/login-twice')
  const request = race.request('request', presented)
  await race.run()
  const { began, ended, label, result } = await signIn
  assertVerdicts([await request], { label, began, ended })
  await flushAll(race)
  assert.equal(await race.lives(presented), false)
  assert.equal(await race.lives(result), true, 'the last one is the one that the cookie is of')
  assert.equal((await race.store.listUserSessions('ada')).length, 1, 'and no orphan')
})

/** Whether the request was verified; an application that closes refuses what is injected anew. */
async function isVerified({ app }: Race, { cookie }: Device): Promise<boolean> {
  try {
    return (await app.inject({ url: '/me', headers: { cookie } })).statusCode === 200
  } catch {
    return false
  }
}

const inSmallBatches = { activityTracking: { maxBatchSize: 1 } }

raceTest(
  t,
  'the end of the application against flushes and what is recorded meanwhile',
  inSmallBatches,
  async (race) => {
    const { app } = race
    const devices = await Promise.all(['ada', 'bo', 'cy', 'dee'].map((user) => race.device(user)))
    for (const device of devices) await race.visit(device)
    const [quiet, direct, ...active] = devices as [Device, Device, ...Device[]]
    const visited = (await race.lastActivity(quiet)) as number
    const close = race.do('close', () => app.close())
    const flush = race.flush('flush')
    const tracker = app.gosesh.activityTracker
    const recordings = [
      race.do('direct record', async () => {
        tracker?.recordActivity(direct.session.id, race.now)
        return true
      }),
      ...active.map((device, index) => race.do(`request ${index + 1}`, () => isVerified(race, device))),
    ]
    await race.run()
    await flush
    const { began, ended } = await close
    assert.ok(((await race.lastActivity(quiet)) as number) > visited, 'what was pending is written')
    let unwritten = 0
    for (const [index, { result, at, label, ended }] of (await Promise.all(recordings)).entries()) {
      if (!result || (await race.lastActivity(devices[index + 1] as Device)) === at) continue
      assert.ok(ended > began, `${label} was complete before the close, and is not written`)
      unwritten++
    }
    const late = race.acts.filter(({ method, count }) => method === 'batchRecordActivity' && count > ended)
    assert.deepEqual(late, [], 'nothing is flushed once it is closed')
    const { lost = 0, dropped = 0 } = tracker?.stats ?? {}
    assert.equal(lost + dropped, unwritten, 'what came too late is counted')
  },
)

t.test('a seed repeats its orders, and another one has others', async (t) => {
  async function work(race: Race): Promise<void> {
    const device = await race.device()
    await race.visit(device)
    for (const n of [1, 2]) race.request(`request ${n}`, device)
    race.flush('flush')
    race.signOut('sign-out', device)
    race.signIn('sign-in', () => device.cookie)
    await race.run()
  }
  const orders = await ordersOf(1, inSmallBatches, work)
  t.ok(new Set(orders.map(String)).size > orders.length / 2, 'the orders of a seed differ')
  t.same(await ordersOf(1, inSmallBatches, work), orders)
  t.not(String(await ordersOf(2, inSmallBatches, work)), String(orders))
})
