import assert from 'node:assert/strict'
import t from 'tap'
import { type Device, type Operation, type Race, raceTest } from './race.js'

const minute = 60_000

/** Those of the re-authentications that succeeded. */
function winners(operations: readonly Operation<Device | null>[]): Device[] {
  return operations.map(({ result }) => result).filter((device) => device !== null)
}

/** The session lives, and exactly one of the cookies that were given out works. */
async function assertOneWorks(race: Race, devices: readonly Device[]): Promise<Device> {
  const working: Device[] = []
  for (const device of devices) {
    const response = await race.app.inject({ url: '/poll', headers: { cookie: device.cookie } })
    if (response.json().session !== null) working.push(device)
  }
  assert.equal(working.length, 1, 'one token works')
  return working[0] as Device
}

/** The metadata that updates left, each under a key of its own. */
async function assertMetadata(
  race: Race,
  { session }: Device,
  updates: readonly Operation<boolean>[],
): Promise<void> {
  const { metadata } = (await race.app.gosesh.getSession(session.id)) ?? {}
  for (const { label, result } of updates) {
    assert.equal(result, true, `${label} finds the session`)
    assert.ok(Object.values(metadata ?? {}).includes(label), `${label} is not lost`)
  }
}

for (const activityTracking of [{}, false] as const) {
  const tracking = `tracking ${activityTracking ? 'on' : 'off'}`

  raceTest(
    t,
    `re-authentications of one session at once, with updates of its metadata, ${tracking}`,
    { activityTracking },
    async (race) => {
      const device = await race.device()
      const confirming = [1, 2].map((n) => race.reauthenticate(`re-authentication ${n}`, device))
      const updating = [1, 2].map((n) => race.updateMetadata(`update ${n}`, device, `key-${n}`))
      const request = race.request('request', device)
      await race.run()
      const won = winners(await Promise.all(confirming))
      assert.equal(won.length, 1, 'the other one comes with an old token')
      await assertOneWorks(race, [device, ...won])
      assert.equal(await race.lives(won[0] as Device), true)
      await assertMetadata(race, device, await Promise.all(updating))
      const { result, began, ended } = await request
      const [{ began: start, ended: end }] = (await Promise.all(confirming)).filter((o) => o.result) as [
        Operation<Device>,
      ]
      if (ended < start) assert.ok(result, 'a request before it is verified')
      if (began > end) assert.equal(result, null, 'a request with the old token after it is not')
    },
  )

  raceTest(
    t,
    `a re-authentication against flushes, extensions and requests, ${tracking}`,
    { activityTracking },
    async (race) => {
      const device = await race.device()
      race.advance(29.5 * minute)
      const confirming = race.reauthenticate('re-authentication', device)
      const requests = [1, 2].map((n) => race.request(`request ${n}`, device))
      const flushing = activityTracking ? [race.flush('flush')] : []
      const updating = race.updateMetadata('update', device, 'key')
      await race.run()
      await Promise.all([...requests, ...flushing])
      const [won] = winners([await confirming])
      assert.ok(won, 'it succeeds')
      await assertMetadata(race, device, [await updating])
      await race.app.gosesh.activityTracker?.flush()
      const stored = await race.store.getSession(device.session.id)
      // The idle deadline is never further than the latest of all that happened, and nothing moved it back.
      assert.ok(
        stored?.idleDeadline && stored.idleDeadline >= new Date((await confirming).at + 30 * minute - 1_000),
      )
      assert.equal(await race.lives(won), true)
    },
  )

  raceTest(
    t,
    `a re-authentication and an update against a sign-out everywhere, ${tracking}`,
    { activityTracking },
    async (race) => {
      const [device, other] = [await race.device(), await race.device()]
      const confirming = race.reauthenticate('re-authentication', device)
      const updating = race.updateMetadata('update', device, 'key')
      const out = race.signOut('sign-out everywhere', other, '/logout-everywhere')
      await race.run()
      const [{ result: won }] = [await confirming]
      await Promise.all([updating, out])
      await race.app.gosesh.activityTracker?.flush()
      for (const gone of [device, other, ...(won ? [won] : [])]) {
        assert.equal(await race.lives(gone), false, 'nothing brings it back')
      }
    },
  )
}
