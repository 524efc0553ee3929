import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { buildApp } from '../../tools/app.js'
import { settle } from '../../tools/clock.js'
import { WatchedStore } from '../../tools/store.js'

function setUp(t: Test, storeTimeout = 5_000) {
  const store = new WatchedStore()
  const app = buildApp(t, { store, visitors: {}, storeTimeout })
  app.post('/cart', async ({ sessionData }) => {
    await sessionData.set('cart', [1])
    return {}
  })
  const write = () => app.inject({ method: 'POST', url: '/cart' })
  return { app, store, write }
}

t.test('a creation that its client sent twice is an outage, and leaves nobody', async (t) => {
  const { store, write } = setUp(t)
  store.on('createSession', async (proceed) => {
    await proceed()
    return await proceed()
  })
  t.match((await write()).json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  await settle()
  t.equal(store.counts.deleteSession, 1)
})

t.test('a creation that lands after the timeout is deleted', async (t) => {
  const { store, write } = setUp(t, 50)
  const release = store.hold('createSession')
  t.equal((await write()).statusCode, 503)
  release()
  await settle()
  t.same(store.counts, { createSession: 1, deleteSession: 1 })
})

t.test('a client that hangs up during the first write leaves no visitor', async (t) => {
  const { app, store } = setUp(t)
  await app.listen()
  const { port } = app.server.address() as AddressInfo
  const release = store.hold('createSession')
  const closed = new Promise<void>((resolve) => {
    app.server.once('request', (incoming) => incoming.once('close', () => resolve()))
  })
  const sent = request({ port, path: '/cart', method: 'POST' })
  sent.on('error', () => {})
  sent.end()
  while (store.counts.createSession === undefined) await settle()
  sent.destroy()
  await closed
  release()
  for (let i = 0; i < 20; i++) await settle()
  t.equal(store.counts.deleteSession, 1)
})
