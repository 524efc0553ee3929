import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import gosesh, { type SessionStore } from '../../lib/index.js'
import { addRoutes } from './app.js'
import { createKey, deviceBinding, FakeDevice, sign } from './device-key.js'

const rivals = 10

async function startNode(t: Test, store: SessionStore): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { store, deviceBinding, sweepInterval: null })
  addRoutes(app)
  await app.ready()
  return app
}

/** What holds of keys on every store, whatever two nodes do at once. */
export function deviceRaces(
  t: Test,
  name: string,
  openStores: (t: Test) => Promise<[SessionStore, SessionStore]>,
): void {
  async function setUp(t: Test) {
    const stores = await openStores(t)
    const nodes = [await startNode(t, stores[0]), await startNode(t, stores[1])] as const
    const device = await FakeDevice.create(nodes[0])
    const keys = await Promise.all(Array.from({ length: rivals }, () => createKey()))
    const devices = keys.map((key, index) => new FakeDevice(nodes[(index % 2) as 0 | 1], key))
    return { nodes, device, devices }
  }

  t.test(`${name}: of many keys that register at once exactly one binds the session`, async (t) => {
    const { nodes, device, devices } = await setUp(t)
    for (let round = 0; round < 5; round++) {
      const { session, challenge } = await device.signIn()
      const changes = nodes.map((app, index) =>
        app.gosesh.updateMetadata(session.id, { [`key-${index}`]: 'value' }),
      )
      const answers = await Promise.all(
        devices.map(async (rival) => (await rival.register(await sign(rival.key, challenge))).statusCode),
      )
      t.same(await Promise.all(changes), [true, true])
      t.equal(answers.filter((status) => status === 200).length, 1, answers.join())
      for (const [index, rival] of devices.entries())
        t.equal((await rival.refresh(session.id)).statusCode, answers[index])
      const found = await nodes[1].gosesh.getSession(session.id)
      t.match(found, { deviceBound: true, metadata: { 'key-0': 'value', 'key-1': 'value' } })
    }
  })

  t.test(`${name}: re-authentication beside a registration keeps the key`, async (t) => {
    const { nodes, device } = await setUp(t)
    for (let round = 0; round < 5; round++) {
      const { session, challenge } = await device.signIn()
      const [registered, confirmed] = await Promise.all([
        device.register(await sign(device.key, challenge)),
        nodes[1].gosesh.reauthenticate(session.id, { factors: ['otp'] }),
      ])
      t.equal(registered.statusCode, 200)
      t.match(await nodes[0].gosesh.getSession(session.id), {
        deviceBound: true,
        factors: [{ method: 'otp' }],
        authenticatedAt: confirmed.session.authenticatedAt,
      })
      t.equal((await device.refresh(session.id)).statusCode, 200)
    }
  })

  t.test(`${name}: a registration beside a deletion revives nothing`, async (t) => {
    const { nodes, device } = await setUp(t)
    for (let round = 0; round < 10; round++) {
      const { session, challenge } = await device.signIn()
      const proof = await sign(device.key, challenge)
      const [{ statusCode }] = await Promise.all([
        device.register(proof),
        nodes[1].gosesh.deleteUserSessions('ada'),
      ])
      t.ok([200, 401].includes(statusCode), `${statusCode}`)
      t.equal(await nodes[0].gosesh.store.getSession(session.id), null)
      t.equal((await device.register(proof)).statusCode, 401)
      t.equal((await device.askRefresh(session.id)).statusCode, 401)
      t.equal(await nodes[0].gosesh.store.getSession(session.id), null)
    }
  })
}
