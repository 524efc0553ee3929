import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { type ClientOptions, WebSocket } from 'ws'
import { sockets } from '../../../examples/recipes/websocket.js'
import gosesh, {
  type GoseshOptions,
  MemoryStore,
  type Session,
  type SessionRecord,
} from '../../../lib/index.js'
import { addRoutes, signIn, unknownToken } from '../../tools/app.js'
import { LoggedStore } from '../../tools/logged-store.js'

async function listeningApp(t: Test, options: GoseshOptions = {}, recheckInterval = 600_000) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(websocket)
  app.register(gosesh, options)
  addRoutes(app)
  app.register(sockets, { recheckInterval })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const connect = (cookie?: string, clientOptions: ClientOptions = {}) => {
    const headers: Record<string, string> = cookie === undefined ? {} : { cookie }
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`, { headers, ...clientOptions })
    t.teardown(() => socket.on('error', () => {}).terminate())
    return socket
  }
  /** A user's open socket, with the code that it will be closed with. */
  const openSocket = async (user = 'ada') => {
    const { cookie, session } = await signIn(app, { user })
    const socket = connect(cookie)
    const closing = once(socket, 'close')
    const closed = closing.then(([code]) => code as number)
    const reason = closing.then(([, why]) => String(why))
    await once(socket, 'open')
    return { cookie, session: session as Session, socket, closed, reason, echo: echoOf(socket) }
  }
  return { app, port, connect, openSocket }
}

function echoOf(socket: WebSocket) {
  return async (text: string): Promise<string> => {
    socket.send(text)
    const [data] = await once(socket, 'message')
    return String(data)
  }
}

/** The status that refused the upgrade, once the server has closed the connection. */
async function refusal(socket: WebSocket): Promise<number | undefined> {
  const [, response] = await once(socket, 'unexpected-response')
  response.resume()
  await once(response.socket, 'close')
  return response.statusCode
}

t.test('a socket knows its session, and what is sent over it is activity', async (t) => {
  const { app, openSocket } = await listeningApp(t, { activityTracking: {} })
  const { session, echo } = await openSocket()
  await app.gosesh.activityTracker?.flush()
  t.equal(await echo('hello'), 'ada: hello')
  t.equal(app.gosesh.activityTracker?.pendingCount, 1)
  const later = await app.gosesh.getSession(session.id)
  t.ok(Number(later?.lastActivityAt) > Date.parse(String(session.lastActivityAt)))
})

t.test('a page that connects again by itself does not keep its session alive', async (t) => {
  const { app, connect, openSocket } = await listeningApp(t, { activityTracking: {} })
  const { cookie } = await openSocket()
  await app.gosesh.activityTracker?.flush()
  await once(connect(cookie), 'open')
  t.equal(app.gosesh.activityTracker?.pendingCount, 0)
})

t.test('a socket without a session, or from a page of another origin, is refused', async (t) => {
  const { app, port, connect } = await listeningApp(t)
  const { cookie } = await signIn(app)
  t.equal(await refusal(connect()), 401)
  t.equal(await refusal(connect(`__Host-session=${unknownToken}`)), 401)
  t.equal(await refusal(connect(cookie, { origin: 'https://evil.example' })), 403)
  const own = connect(cookie, { origin: `http://127.0.0.1:${port}` })
  await once(own, 'open')
})

t.test('a socket closes when its session is signed out, and no other does', async (t) => {
  const { app, openSocket } = await listeningApp(t)
  const [one, two, other] = [await openSocket(), await openSocket(), await openSocket('bo')]
  await app.inject({ method: 'POST', url: '/logout', headers: { cookie: one.cookie } })
  t.equal(await one.closed, 4401)
  t.equal(await one.reason, 'signedOut', 'with why, as far as it is known')
  t.equal(await two.echo('still'), 'ada: still')
  await app.inject({ method: 'POST', url: '/logout-everywhere', headers: { cookie: two.cookie } })
  t.equal(await two.closed, 4401)
  t.equal(await other.echo('still'), 'bo: still')
  await app.gosesh.deleteAllSessions()
  t.equal(await other.closed, 4401)
})

t.test('a socket closes soon after its session ended elsewhere, or by its deadline', async (t) => {
  let now = Date.now()
  const { app, openSocket } = await listeningApp(t, { clock: { now: () => now } }, 20)
  const elsewhere = await openSocket()
  await app.gosesh.store.deleteSession(elsewhere.session.id)
  t.equal(await elsewhere.closed, 4401)
  const idle = await openSocket()
  now += 30 * 60_000
  t.equal(await idle.closed, 4401)
})

t.test('a socket that was opened with an old token closes once the session is confirmed anew', async (t) => {
  const { app, openSocket } = await listeningApp(t, {}, 20)
  const { cookie, closed } = await openSocket()
  const response = await app.inject({ method: 'POST', url: '/confirm', headers: { cookie }, body: {} })
  t.equal(response.statusCode, 200)
  t.equal(await closed, 4401)
})

t.test('with the session cache, two processes', async (t) => {
  const store = new LoggedStore()
  const options = { store, sessionCache: { pollInterval: 20 } }
  const [one, two] = [await listeningApp(t, options), await listeningApp(t, options)]

  t.test('a socket closes when its session is signed out on the other one, without look-ups', async (t) => {
    const { closed, reason, session } = await one.openSocket()
    const other = await one.openSocket('bo')
    await two.app.gosesh.deleteSession(session.id)
    t.equal(await closed, 4401)
    t.equal(await reason, 'elsewhere')
    t.equal(await other.echo('still'), 'bo: still')
  })

  t.test(
    'a change of its session closes no socket, and a log that cannot tell those without one',
    async (t) => {
      const [ended, alive] = [await one.openSocket(), await one.openSocket('bo')]
      await two.app.gosesh.updateMetadata(alive.session.id, { device: 'phone' })
      await MemoryStore.prototype.deleteSession.call(store, ended.session.id)
      store.forgetLog()
      t.equal(await ended.closed, 4401)
      t.equal(await alive.echo('still'), 'bo: still')
    },
  )
})

t.test('a socket whose session ends while it opens closes, too', async (t) => {
  const store = new LoggedStore()
  const { app, connect } = await listeningApp(t, { store, sessionCache: {} })
  // Once it was verified, which is the first read.
  store.on('getSession', async (proceed) => {
    const record = (await proceed()) as SessionRecord | null
    if (record !== null) await MemoryStore.prototype.deleteSession.call(store, record.id)
    return record
  })
  const { cookie } = await signIn(app)
  const [code] = await once(connect(cookie), 'close')
  t.equal(code, 4401)
})
