import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import gosesh, { type GoseshOptions } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { settle } from '../../tools/clock.js'
import { challengeIn, cookiesOf, deviceBinding, FakeDevice, sign } from '../../tools/device-key.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from '../options/policy-fixtures.js'

async function setUp(t: Test, options: GoseshOptions = {}) {
  const store = new WatchedStore()
  const clock = steppedClock()
  const app = buildApp(t, { deviceBinding, store, clock, ...options }, {
    maxHeaderSize: 128 * 1_024,
  } as object)
  return { app, store, clock, device: await FakeDevice.create(app) }
}

t.test('a store that is down is 503 at each step, and everything goes on when it is back', async (t) => {
  const { device, store, clock } = await setUp(t)
  const { session, challenge } = await device.signIn()
  const proof = await sign(device.key, challenge)
  for (const method of ['getSession', 'updateSession'] as const) {
    store.fail(method)
    t.match((await device.register(proof)).json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    store.off(method)
  }
  t.equal((await device.get('/me')).json().deviceBound, false)
  const registered = await device.register(proof)
  t.equal(registered.statusCode, 200)
  device.bound = cookiesOf(registered)
  store.fail('getSession')
  t.equal((await device.askRefresh(session.id)).statusCode, 503)
  clock.forward(minute)
  t.equal((await device.get('/me')).statusCode, 503)
  store.off('getSession')
  t.equal((await device.refresh(session.id)).statusCode, 200)
})

t.test('an outage while the request without a proof is looked at is 503', async (t) => {
  const { app, device, store } = await setUp(t)
  await device.bind()
  let reads = 0
  store.on('getSession', (proceed) => (++reads > 1 ? Promise.reject(new Error('down')) : proceed()))
  t.equal((await app.inject({ url: '/me', headers: { cookie: device.session } })).statusCode, 503)
})

t.test('a record that somebody broke is an outage, and no reason to drop the key', async (t) => {
  for (const details of [
    '{',
    '{"factors":[],"device":["HS256","x","y",1]}',
    '{"factors":[],"device":["ES256",1,"y",1]}',
  ]) {
    const { device, store } = await setUp(t)
    const { id } = await device.bind()
    const record = await store.getSession(id)
    store.on('getSession', async () => ({ ...record, details }))
    t.equal((await device.askRefresh(id)).statusCode, 503, details)
  }
  const { device, store } = await setUp(t)
  const { id } = await device.bind()
  const challenge = challengeIn(await device.askRefresh(id))
  const record = await store.getSession(id)
  const details = '{"factors":[],"device":["ES256","x","y",1]}'
  store.on('getSession', async () => ({ ...record, details }))
  const headers = { 'secure-session-response': await sign(device.key, challenge) }
  t.match(
    (await device.askRefresh(id, headers)).json(),
    { statusCode: 503 },
    'a key that is no point of the curve',
  )
  store.on('getSession', async () => ({ ...record, absoluteDeadline: 'soon' }) as never)
  t.equal((await device.askRefresh(id)).statusCode, 503)
})

t.test('the application’s error handler does not answer for the endpoints', async (t) => {
  const { app, device } = await setUp(t)
  app.setErrorHandler((_error, _request, reply) => reply.redirect('/sorry'))
  const { session, challenge } = await device.signIn()
  t.equal((await device.register('x')).statusCode, 401)
  t.equal((await device.register(await sign(device.key, challenge))).statusCode, 200)
  const asked = await device.askRefresh(session.id)
  t.match(asked, { statusCode: 403, headers: { 'cache-control': 'no-store' } })
})

t.test('a header of 64 KB is refused', async (t) => {
  const { app, device } = await setUp(t)
  const { id } = await device.bind()
  const { challenge } = await (await FakeDevice.create(app)).signIn({ user: 'bo' })
  const padded = await sign(device.key, challenge, { padding: 'x'.repeat(64 * 1_024) })
  t.equal((await device.register(padded)).statusCode, 401, 'a good proof among them')
  const long = 'x'.repeat(64 * 1_024)
  t.equal((await device.register(long)).statusCode, 401)
  t.equal((await device.askRefresh(long)).statusCode, 401)
  t.equal((await device.askRefresh(id, { 'secure-session-response': long })).statusCode, 401)
  t.equal(
    (await app.inject({ url: '/me', headers: { cookie: `${device.session}; __Host-session-bound=${long}` } }))
      .statusCode,
    401,
  )
  t.equal((await device.refresh(id)).statusCode, 200)
})

t.test('a body that never ends is not waited for', async (t) => {
  const { app, device } = await setUp(t)
  const { session } = await device.signIn()
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  for (const [path, framing] of [
    ['', 'Connection: close\r\n\r\n'],
    ['', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
    ['/refresh', 'Content-Length: 1000000\r\nContent-Type: application/json\r\n\r\n{'],
  ]) {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    socket.write(
      `POST /auth/device-key${path} HTTP/1.1\r\nHost: x\r\nSec-Secure-Session-Id: ${session.id}\r\n${framing}`,
    )
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk
    })
    await once(socket, 'end', { signal: AbortSignal.timeout(10_000) })
    t.match(text, /^HTTP\/1.1 401 /)
    t.match(text, /\r\nconnection: close\r\n/i)
  }
})

t.test('over HTTP/2, which has no such header, no answer closes the connection', async (t) => {
  const app = Fastify({ http2: true })
  t.teardown(() => app.close())
  await app.register(gosesh, { deviceBinding })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const client = connectHttp2(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  t.teardown(() => client.close())
  for (let tries = 0; tries < 2; tries++) {
    const stream = client.request({ ':method': 'POST', ':path': '/auth/device-key' })
    stream.end('a body')
    const [headers] = await once(stream, 'response')
    t.match(headers, { ':status': 401 })
    stream.resume()
    await once(stream, 'close')
  }
})

t.test('a browser’s empty body leaves the connection open', async (t) => {
  const { device } = await setUp(t)
  const { session } = await device.signIn()
  const response = await device.askRefresh(session.id, { 'content-length': '0' })
  t.not(response.headers.connection, 'close')
})

t.test('a hang-up that takes a re-authentication back leaves a key that came meanwhile', async (t) => {
  const store = new WatchedStore()
  const app = buildApp(t, { deviceBinding, store })
  const device = await FakeDevice.create(app)
  let work = async (): Promise<void> => {}
  app.post('/hang-up', async (request, reply) => {
    await reply.reauthenticate({ factors: ['otp'] })
    await work()
    request.raw.destroy()
  })
  const { session, challenge } = await device.signIn({ factors: ['pwd'] })
  work = async () => {
    t.equal((await device.register(await sign(device.key, challenge))).statusCode, 200)
  }
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const headers = { cookie: device.session }
  await t.rejects(fetch(`http://127.0.0.1:${port}/hang-up`, { method: 'POST', headers }))
  while ((await store.getSession(session.id))?.version !== 4) await settle()
  const reverted = await app.gosesh.getSession(session.id)
  t.match(reverted, { deviceBound: true, factors: [{ method: 'pwd' }] })
  t.equal(reverted?.factors.length, 1)
  t.equal((await device.refresh(session.id)).statusCode, 200)
})
