import { once } from 'node:events'
import http2 from 'node:http2'
import { connect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import gosesh, { type GoseshOptions } from '../../../lib/index.js'
import { addRoutes, buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { fakeTime, settle, steppingClock } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

/** Signs in again with the cookie. */
function signInAgain(app: FastifyInstance, cookie: string) {
  return app.inject({ method: 'POST', url: '/login', headers: { cookie }, body: {} })
}

t.test('if the session that a sign-in replaces cannot be ended, the new one stands', async (t) => {
  for (const fault of ['fails', 'lands and answers late', 'never answers'] as const) {
    await t.test(fault, async (t) => {
      const time = fakeTime(t)
      const store = new WatchedStore()
      const logger = recordingLogger()
      const app = buildApp(t, { store, logger, storeTimeout: 50 })
      const ended: unknown[] = []
      await app.ready()
      app.gosesh.onSessionEnd(({ sessionId, reason }) => ended.push({ sessionId, reason }))
      const old = await signIn(app)
      if (fault === 'fails') store.fail('deleteSession')
      if (fault === 'never answers') store.hang('deleteSession')
      if (fault === 'lands and answers late') {
        store.on('deleteSession', async (proceed) => {
          const landed = await proceed()
          await new Promise((resolve) => setTimeout(resolve, 200))
          return landed
        })
      }
      const answer = signInAgain(app, old.cookie)
      for (let i = 0; i < 10; i++) await settle()
      await time.advance(100, 10)
      const response = await answer
      t.equal(response.statusCode, 200)
      t.ok(await whoami(app, cookieOf(response)), 'its cookie is good')
      t.match(logger.above('info'), [{ level: 'warn', details: { sessionId: old.session.id } }])
      store.off('deleteSession')
      await time.advance(1_500, 100)
      t.equal(await whoami(app, old.cookie), null, 'and the old one ends once the store answers')
      t.same(ended, [{ sessionId: old.session.id, reason: 'replaced' }], 'of which listeners hear once')
    })
  }
})

t.test('the deletion is tried again until the store answers, and once more at shutdown', async (t) => {
  const time = fakeTime(t)
  const store = new WatchedStore()
  const logger = recordingLogger()
  const app = buildApp(t, { store, logger, sweepInterval: null })
  const old = await signIn(app)
  const other = await signIn(app, { user: 'bo' })
  store.fail('deleteSession')
  await signInAgain(app, old.cookie)
  await signInAgain(app, other.cookie)
  store.reset()
  await time.advance(16_000)
  const tries = store.counts.deleteSession ?? 0
  t.ok(tries >= 6 && tries <= 10, `${tries} tries of the two, each pass after twice the time`)
  await app.close()
  t.equal(store.counts.deleteSession, tries + 2)
  t.match(logger.lines.at(-1), { level: 'error', details: { leftCount: 2 } })
})

t.test('a shutdown while a deletion is tried again waits for it', async (t) => {
  const time = fakeTime(t)
  const store = new WatchedStore()
  const app = buildApp(t, { store, sweepInterval: null })
  const old = await signIn(app)
  store.fail('deleteSession')
  await signInAgain(app, old.cookie)
  const release = store.hold('deleteSession')
  await time.advance(1_000)
  const closed = app.close()
  release()
  await closed
  t.equal(store.getSession(old.session.id), null)
})

t.test('an outage does not fill the memory: past 10,000 the oldest deletion is given up', async (t) => {
  const { RetriedCalls } = await import('../../../lib/session/retried-calls.js')
  const { SessionEvents } = await import('../../../lib/session/events.js')
  const logger = recordingLogger()
  const messages = { failed: 'failed', givenUp: 'given up', left: 'left' }
  const deferred = new RetriedCalls(new SessionEvents(() => logger), messages)
  for (let i = 0; i <= 10_000; i++) {
    deferred.add(`id-${i}` as never, () => Promise.reject(new Error('down')), new Error('down'))
  }
  t.match(
    logger.lines.filter(({ level }) => level === 'error'),
    [{ details: { sessionId: 'id-0', maxWaiting: 10_000 } }],
  )
  await deferred.stop()
  t.match(logger.lines.at(-1), { level: 'error', details: { leftCount: 10_000 } })
})

t.test(
  'a call that always fails keeps no other from being tried, and one after the end is said',
  async (t) => {
    const { RetriedCalls } = await import('../../../lib/session/retried-calls.js')
    const { SessionEvents } = await import('../../../lib/session/events.js')
    const logger = recordingLogger()
    const retried = new RetriedCalls(new SessionEvents(() => logger), {
      failed: 'failed',
      givenUp: 'given up',
      left: 'left',
    })
    const tried: string[] = []
    const attempt = (name: string, fails: boolean) => async () => {
      tried.push(name)
      if (fails) throw new Error('down')
    }
    for (const name of ['bad', 'good']) {
      retried.add(name as never, attempt(name, name === 'bad'), new Error('down'))
    }
    await retried.stop()
    t.same(tried, ['bad', 'good'])
    t.match(logger.lines.at(-1), { level: 'error', details: { leftCount: 1, sessionIds: ['bad'] } })
    retried.add('late' as never, attempt('late', false), new Error('down'))
    t.match(logger.lines.at(-1), { level: 'error', message: 'left', details: { sessionIds: ['late'] } })
  },
)

t.test('with maxSessionsPerUser', async (t) => {
  t.test('a list that fails leaves the old session and its cookie as they were', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, clock: steppingClock(), maxSessionsPerUser: 1 })
    const { cookie } = await signIn(app)
    store.fail('listUserSessions')
    const response = await signInAgain(app, cookie)
    t.equal(response.statusCode, 503)
    t.notOk(response.headers['set-cookie'])
    store.off('listUserSessions')
    t.ok(await whoami(app, cookie))
    t.equal((await app.gosesh.listUserSessions('ada')).length, 1)
  })

  t.test('if ending another one fails, the sign-in stands and that one ends later', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, clock: steppingClock(), maxSessionsPerUser: 1 })
    const first = await signIn(app)
    store.fail('deleteSession')
    const second = await signIn(app)
    store.off('deleteSession')
    await time.advance(1_000)
    t.equal(await whoami(app, first.cookie), null)
    t.ok(await whoami(app, second.cookie))
  })
})

t.test('if undoing a sign-in fails too, that is tried again as well', async (t) => {
  const time = fakeTime(t)
  const store = new WatchedStore()
  const logger = recordingLogger()
  const app = buildApp(t, { store, logger, maxSessionsPerUser: 1 })
  await app.ready()
  store.fail('listUserSessions')
  store.fail('deleteSession')
  const response = await app.inject({ method: 'POST', url: '/login', body: {} })
  t.equal(response.statusCode, 503)
  t.match(logger.above('info'), [{ level: 'warn', details: { sessionId: /^[\w-]{22}$/ } }])
  store.off('listUserSessions')
  store.off('deleteSession')
  t.equal((await app.gosesh.listUserSessions('ada')).length, 1)
  await time.advance(1_000)
  t.same(await app.gosesh.listUserSessions('ada'), [])
})

t.test('a client that hangs up during a sign-in leaves no session', async (t) => {
  const body = JSON.stringify({ user: 'ada' })
  const head = `POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`

  /** Holds a call of the store until the client has gone. */
  async function hangUpDuring(
    t: Test,
    method: 'createSession' | 'deleteSession',
    options: GoseshOptions = {},
  ) {
    const store = new WatchedStore()
    const app = buildApp(t, { store, ...options })
    app.addHook('onRequest', async (request) => {
      request.raw.socket.once('close', () => gone())
    })
    let gone = (): void => {}
    const hungUp = new Promise<void>((resolve) => {
      gone = resolve
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { cookie } = await signIn(app, { user: 'bo' })
    store.reset()
    const release = store.hold(method)
    const client = connect((app.server.address() as { port: number }).port, '127.0.0.1')
    client.on('error', () => {})
    client.write(head.replace('\r\n\r\n', `\r\nCookie: ${cookie}\r\n\r\n${body}`))
    while (!store.counts[method]) await settle()
    client.destroy()
    await hungUp
    await settle()
    release()
    for (let i = 0; i < 20; i++) await settle()
    return app
  }

  t.test('if it goes while the session is created', async (t) => {
    const app = await hangUpDuring(t, 'createSession')
    t.same(await app.gosesh.listUserSessions('ada'), [])
    t.equal((await app.gosesh.listUserSessions('bo')).length, 1, 'and the session that it held lives on')
  })

  t.test('if it goes once the cookie is written, and before it is sent', async (t) => {
    const app = await hangUpDuring(t, 'deleteSession')
    t.same(await app.gosesh.listUserSessions('ada'), [])
  })

  t.test('and is not locked out by it', async (t) => {
    const app = await hangUpDuring(t, 'createSession', {
      maxSessionsPerUser: { limit: 1, whenFull: 'refuse' },
    })
    t.equal((await app.inject({ method: 'POST', url: '/login', body: {} })).statusCode, 200)
  })

  t.test('over HTTP/2 too', async (t) => {
    const store = new WatchedStore()
    const app = Fastify({ http2: true })
    t.teardown(() => app.close())
    app.register(gosesh as never, { store })
    addRoutes(app as never)
    await app.listen({ port: 0, host: '127.0.0.1' })
    const release = store.hold('createSession')
    const session = http2.connect(`http://127.0.0.1:${(app.server.address() as { port: number }).port}`)
    t.teardown(() => session.close())
    const stream = session.request({
      ':method': 'POST',
      ':path': '/login',
      'content-type': 'application/json',
    })
    stream.on('error', () => {})
    stream.end(body)
    while (!store.counts.createSession) await settle()
    stream.close(http2.constants.NGHTTP2_CANCEL)
    await once(stream, 'close')
    for (let i = 0; i < 20; i++) await settle()
    release()
    for (let i = 0; i < 20; i++) await settle()
    t.same(await app.gosesh.listUserSessions('ada'), [])
  })

  t.test('a client that got its cookie keeps its session, however it leaves', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    app.get('/stream', async (_request, reply) => {
      await reply.signIn('ada')
      reply.hijack()
      reply.raw.writeHead(200, { 'set-cookie': String(reply.getHeader('set-cookie')) })
      reply.raw.write('the first part')
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    const client = connect((app.server.address() as { port: number }).port, '127.0.0.1')
    client.write('GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(client, 'data')
    client.destroy()
    for (let i = 0; i < 20; i++) await settle()
    t.equal((await app.gosesh.listUserSessions('ada')).length, 1)
  })
})
