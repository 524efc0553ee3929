import t from 'tap'
import { GoseshError, MemoryStore } from '../../../lib/index.js'
import type { DeviceSettings } from '../../../lib/oauth/options.js'
import { acme, appOrigin, scene, startApp } from './app.js'
import { devices, grant_type } from './device-fixtures.js'

t.test('the store', async (t) => {
  t.test('is asked again where a user code is taken, and not for ever; its own errors stand', async (t) => {
    const { store, post } = await devices(t)
    const { createDeviceCode } = store.deviceCodes
    let refused = 0
    store.deviceCodes.createDeviceCode = async (code) => {
      refused += 1
      return refused > 2 && (await createDeviceCode.call(store.deviceCodes, code))
    }
    t.equal((await post('code', {})).status, 200)
    store.deviceCodes.createDeviceCode = async () => false
    t.match(await post('code', {}), { status: 503, body: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } })
    store.deviceCodes.createDeviceCode = async () => {
      throw new GoseshError('GOSESH_ERR_STORE_FULL')
    }
    t.match(await post('code', {}), { status: 503, body: { code: 'GOSESH_ERR_STORE_FULL' } })
  })

  t.test('is asked no more often at once than by gosesh itself', async (t) => {
    const store = new MemoryStore()
    const sessions = { store, storeTimeout: 300, maxPendingStoreCalls: 5 }
    const { origin } = await scene(t, { deviceAuthorization: true }, { sessions })
    let calls = 0
    store.deviceCodes.getDeviceCode = () => {
      calls += 1
      return new Promise(() => {})
    }
    const body = new URLSearchParams({ grant_type, device_code: 'x'.repeat(43) })
    const polls = Array.from({ length: 20 }, () =>
      fetch(`${origin}/auth/device/token`, { method: 'POST', body }),
    )
    for (const { status } of await Promise.all(polls)) t.equal(status, 503)
    t.equal(calls, 5)
  })

  t.test('is not swept if gosesh does not sweep', async (t) => {
    for (const [sweepInterval, sweeps] of [
      [null, false],
      [5, true],
    ] as const) {
      const store = new MemoryStore()
      const swept = new Promise<boolean>((resolve) => {
        store.deviceCodes.deleteExpiredDeviceCodes = async () => {
          resolve(true)
          return 0
        }
        setTimeout(() => resolve(false), 200)
      })
      await scene(t, { deviceAuthorization: true }, { sessions: { store, sweepInterval } })
      t.equal(await swept, sweeps)
    }
  })

  t.test('has its time', async (t) => {
    const store = new MemoryStore()
    const sessions = { store, storeTimeout: 20 }
    const { origin } = await scene(t, { deviceAuthorization: true }, { sessions })
    store.deviceCodes.createDeviceCode = () => new Promise(() => {})
    const response = await fetch(`${origin}/auth/device/code`, { method: 'POST' })
    t.equal(response.status, 503)
  })

  t.test('is swept of what has expired', async (t) => {
    const { DeviceAuthorization } = await import('../../../lib/oauth/device/service.js')
    const { app, store, start, poll, clock } = await devices(t)
    const { parseSettings } = await import('../../../lib/oauth/options.js')
    const providers = { acme: acme({ issuer: 'http://127.0.0.1:1' }) }
    const given = { origin: 'https://app.example', providers, deviceAuthorization: true }
    const settings = parseSettings(given, '').deviceAuthorization as DeviceSettings
    const authorization = new DeviceAuthorization(app, settings, clock)
    const old = await start()
    clock.offset += 1_200_001
    const recent = await start()
    await authorization.sweep()
    t.match((await poll(old)).body, { error: 'invalid_grant' })
    t.match((await poll(recent)).body, { error: 'authorization_pending' })
    const counts = [1_000, 1_000, 3]
    store.deviceCodes.deleteExpiredDeviceCodes = async () => counts.shift() ?? 0
    await authorization.sweep()
    t.same(counts, [], 'as long as a chunk comes back full')
  })

  t.test('without the methods fails start-up', async (t) => {
    const origin = await appOrigin()
    const providers = { acme: acme({ issuer: 'http://127.0.0.1:1' }) }
    const store = new MemoryStore()
    Object.assign(store.deviceCodes, { consumeDeviceCode: undefined })
    await t.rejects(startApp(t, { origin, providers, deviceAuthorization: true }, { sessions: { store } }), {
      code: 'GOSESH_ERR_STORE_CAPABILITY',
      message: 'The option deviceAuthorization needs a store with the method deviceCodes.consumeDeviceCode',
    })
  })
})
