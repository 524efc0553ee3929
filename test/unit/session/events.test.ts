import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Writable } from 'node:stream'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import gosesh, {
  cookieCredential,
  type GoseshOptions,
  MemoryStore,
  type Session,
  type SessionEnd,
  type SessionId,
} from '../../../lib/index.js'
import { SessionEvents } from '../../../lib/session/events.js'
import { addRoutes, buildApp, signIn, whoami } from '../../tools/app.js'
import { fakeTime, settle, steppingClock } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

/** What is published to a channel during the test. */
function published(t: Test, channel: string): Record<string, unknown>[] {
  const messages: Record<string, unknown>[] = []
  const listener = (message: unknown): void => void messages.push(message as Record<string, unknown>)
  subscribe(channel, listener)
  t.teardown(() => unsubscribe(channel, listener))
  return messages
}

async function listeningApp(t: Test, options: GoseshOptions = {}) {
  const app = buildApp(t, options)
  await app.ready()
  const ends: SessionEnd[] = []
  const stop = app.gosesh.onSessionEnd((end) => void ends.push(end))
  const post = (url: string, cookie: string) =>
    app.inject({ method: 'POST', url, headers: { cookie }, body: {} })
  return { app, ends, stop, post }
}

function endOf({ id, userId }: Pick<Session, 'id' | 'userId'>, reason: string): object {
  return { reason, sessionId: id, userId, except: null }
}

t.test('onSessionEnd tells of a session', async (t) => {
  t.test('that was signed out, once', async (t) => {
    const { app, ends, post } = await listeningApp(t)
    const { cookie, session } = await signIn(app)
    await post('/logout', cookie)
    await post('/logout', cookie)
    t.same(ends, [endOf(session, 'signedOut')])
  })

  t.test('that was deleted by its id, with whose it was', async (t) => {
    const { app, ends } = await listeningApp(t)
    const { session } = await signIn(app)
    const other = await signIn(app)
    await app.gosesh.deleteSession(session.id)
    await app.gosesh.deleteSession(other.session.id, { userId: 'ada' })
    await app.gosesh.deleteSession(session.id)
    t.same(ends, [endOf(session, 'signedOut'), endOf(other.session, 'signedOut')])
  })

  t.test('that a sign-in on the same cookie replaced', async (t) => {
    const { app, ends, post } = await listeningApp(t)
    const { cookie, session } = await signIn(app)
    await post('/login', cookie)
    t.same(ends, [endOf(session, 'replaced')])
  })

  t.test('that ended with all of its user’s, but not of the one that was kept', async (t) => {
    const { app, ends, post } = await listeningApp(t)
    const [first, second, third] = [await signIn(app), await signIn(app), await signIn(app)]
    await signIn(app, { user: 'bo' })
    await app.gosesh.deleteUserSessions('ada', { except: third.session.id })
    const sorted = () => ends.splice(0).sort((a, b) => String(a.sessionId).localeCompare(String(b.sessionId)))
    const expected = [first.session, second.session].sort((a, b) => a.id.localeCompare(b.id))
    t.same(
      sorted(),
      expected.map((session) => endOf(session, 'everywhere')),
    )
    await post('/logout-everywhere', third.cookie)
    t.same(sorted(), [endOf(third.session, 'everywhere')])
  })

  t.test('in one event for all, where the store does not list them', async (t) => {
    class StoreThatCannotList extends MemoryStore {
      override listUserSessions = undefined as never
    }
    const { app, ends } = await listeningApp(t, { store: new StoreThatCannotList() })
    const { session } = await signIn(app)
    await signIn(app)
    await app.gosesh.deleteUserSessions('ada', { except: session.id })
    await app.gosesh.deleteUserSessions('ada')
    const all = { reason: 'everywhere', sessionId: null, userId: 'ada' }
    t.same(ends, [
      { ...all, except: session.id },
      { ...all, except: null },
    ])
  })

  t.test('in one event for everybody’s', async (t) => {
    const { app, ends } = await listeningApp(t)
    await signIn(app)
    await app.gosesh.deleteAllSessions()
    t.same(ends, [{ reason: 'all', sessionId: null, userId: null, except: null }])
  })

  t.test('that a sign-in past the limit evicted', async (t) => {
    const { app, ends } = await listeningApp(t, { maxSessionsPerUser: 1, clock: steppingClock() })
    const { session } = await signIn(app)
    await signIn(app)
    t.same(ends, [endOf(session, 'evicted')])
  })

  t.test('that is found expired', async (t) => {
    let now = Date.now()
    const { app, ends } = await listeningApp(t, { clock: { now: () => now }, sweepInterval: null })
    const { cookie, session } = await signIn(app)
    now += 30 * 60_000
    t.equal(await whoami(app, cookie), null)
    t.equal(await app.gosesh.getSession(session.id), null)
    t.same(ends, [endOf(session, 'expired'), endOf(session, 'expired')])
  })
})

t.test('a listener', async (t) => {
  t.test('is told until it is taken back', async (t) => {
    const { app, ends, stop, post } = await listeningApp(t)
    stop()
    stop()
    await post('/logout', (await signIn(app)).cookie)
    t.same(ends, [])
  })

  t.test('that throws is logged, and stops neither the others nor the sign-out', async (t) => {
    const logger = recordingLogger()
    const app = buildApp(t, { logger })
    await app.ready()
    let told = 0
    const thrown = new Error('mistake')
    app.gosesh.onSessionEnd(() => {
      throw thrown
    })
    app.gosesh.onSessionEnd(() => void told++)
    const { cookie } = await signIn(app)
    const response = await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.equal(response.statusCode, 200)
    t.equal(told, 1)
    t.match(logger.above('info'), [{ level: 'error', details: { err: thrown } }])
  })

  t.test('that rejects is logged, and the process goes on', async (t) => {
    const logger = recordingLogger()
    let now = Date.now()
    const app = buildApp(t, { logger, clock: { now: () => now }, sweepInterval: null })
    await app.ready()
    const thrown = new Error('mistake')
    app.gosesh.onSessionEnd(async () => {
      throw thrown
    })
    const { cookie } = await signIn(app)
    now += 24 * 60 * 60_000
    t.equal(await whoami(app, cookie), null)
    await settle()
    t.match(logger.above('info'), [{ level: 'error', details: { err: thrown } }])
  })

  t.test('is a function', async (t) => {
    const app = buildApp(t)
    await app.ready()
    t.throws(() => app.gosesh.onSessionEnd({} as never), { code: 'GOSESH_ERR_OPTION' })
  })

  t.test('costs no read where there is none', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const { session } = await signIn(app)
    store.reset()
    await app.gosesh.deleteSession(session.id)
    await app.gosesh.deleteUserSessions('ada')
    t.same(store.counts, { deleteSession: 1, deleteUserSessions: 1 })
  })
})

t.test('security events are logged at info under stable names', async (t) => {
  const logger = recordingLogger()
  const app = buildApp(t, { logger, maxSessionsPerUser: 1, clock: steppingClock() })
  const { session: first } = await signIn(app)
  const { cookie, session } = await signIn(app)
  await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
  const { session: own } = await app.gosesh.createSession('bo')
  const signedIn = { event: 'gosesh:sign-in', reqId: /^req-/, userId: 'ada', credential: 'cookie' }
  t.match(
    logger.lines.map(({ level, details }) => [level, details]),
    [
      ['info', { ...signedIn, sessionId: first.id }],
      ['info', { event: 'gosesh:session-end', reason: 'evicted', sessionId: first.id, userId: 'ada' }],
      ['info', { ...signedIn, sessionId: session.id }],
      [
        'info',
        { event: 'gosesh:sign-out', reqId: /^req-/, sessionId: session.id, userId: 'ada', everywhere: false },
      ],
      ['info', { event: 'gosesh:sign-in', sessionId: own.id, userId: 'bo', credential: null }],
    ],
  )
})

t.test('ends that no reply asked for are logged at info too', async (t) => {
  const logger = recordingLogger()
  let now = 1_900_000_000_000
  const app = buildApp(t, { logger, clock: { now: () => now }, sweepInterval: null })
  const { cookie, session } = await signIn(app)
  await signIn(app, { user: 'bo' })
  now += 30 * 60_000
  for (let i = 0; i < 3; i++) await whoami(app, cookie)
  await app.gosesh.deleteUserSessions('bo', { except: session.id })
  await app.gosesh.deleteSessionsByMetadata({ device: 'a name that is nobody’s business' })
  await app.gosesh.deleteAllSessions()
  const ends = logger.lines.filter(
    ({ details: { event } }) => event !== undefined && event !== 'gosesh:sign-in',
  )
  t.same(
    ends.map(({ level, details, message }) => ({ level, ...details, message })),
    [
      {
        level: 'info',
        event: 'gosesh:session-end',
        reason: 'expired',
        sessionId: session.id,
        userId: 'ada',
        message: 'session expired',
      },
      {
        level: 'info',
        event: 'gosesh:user-sessions-deleted',
        userId: 'bo',
        except: session.id,
        deletedCount: 1,
        message: 'sessions of a user deleted',
      },
      {
        level: 'info',
        event: 'gosesh:sessions-deleted-by-metadata',
        keys: ['device'],
        deletedCount: 0,
        message: 'sessions deleted by metadata',
      },
      {
        level: 'info',
        event: 'gosesh:session-end',
        reason: 'all',
        sessionId: null,
        userId: null,
        message: 'all sessions ended',
      },
    ],
    'each once, an expired session that is asked for again too, and no value of the metadata',
  )
})

t.test('which expired sessions were logged is kept for a thousand', async (t) => {
  const logger = recordingLogger()
  const events = new SessionEvents(() => logger)
  const expire = (i: number) =>
    events.sessionEnded({ reason: 'expired', sessionId: `${i}` as SessionId, userId: 'ada', except: null })
  for (let i = 0; i <= 1_000; i++) expire(i)
  expire(1_000)
  t.equal(logger.lines.length, 1_001)
  expire(0)
  t.equal(logger.lines.length, 1_002)
})

t.test('bindSessionToLog', async (t) => {
  const logOf = async (bindSessionToLog: boolean) => {
    const lines: Record<string, unknown>[] = []
    const stream = new Writable({
      write(chunk, _encoding, done) {
        lines.push(JSON.parse(String(chunk)))
        done()
      },
    })
    const app = Fastify({ logger: { stream } })
    t.teardown(() => app.close())
    app.register(gosesh, { bindSessionToLog })
    addRoutes(app)
    const { cookie, session } = await signIn(app)
    app.log.info('before')
    await app.inject({ url: '/me', headers: { cookie } })
    await app.inject('/whoami')
    const [, , completed, , anonymous] = lines.slice(lines.findIndex(({ msg }) => msg === 'before'))
    return { completed, anonymous, session }
  }

  t.test('names the session in every later line of the request, Fastify’s own too', async (t) => {
    const { completed, anonymous, session } = await logOf(true)
    t.match(completed, { msg: 'request completed', sessionId: session.id, userId: 'ada' })
    t.notOk(anonymous?.sessionId)
  })

  t.test('is off by default', async (t) => {
    const { completed } = await logOf(false)
    t.match(completed, { msg: 'request completed' })
    t.notOk(completed?.sessionId)
  })
})

t.test('diagnostics channels', async (t) => {
  t.test('gosesh:verify says how each token was judged', async (t) => {
    const messages = published(t, 'gosesh:verify')
    let now = Date.now()
    const store = new WatchedStore()
    const app = buildApp(t, { store, clock: { now: () => now }, sweepInterval: null })
    const { cookie, session } = await signIn(app)
    await whoami(app, cookie)
    await whoami(app, `__Host-session=${'a'.repeat(43)}`)
    store.fail('getSession')
    await app.inject({ url: '/me', headers: { cookie } })
    store.off('getSession')
    now += 30 * 60_000
    await whoami(app, cookie)
    await whoami(app, '__Host-session=nonsense')
    const durationMs = Number
    t.match(messages, [
      { outcome: 'verified', sessionId: session.id, userId: 'ada', durationMs, error: null },
      { outcome: 'absent', userId: null, error: null },
      { outcome: 'failed', sessionId: session.id, error: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } },
      { outcome: 'expired', sessionId: session.id, error: null },
    ])
    t.equal(messages.length, 4)
  })

  t.test('an error of a message is one, whatever was thrown', async (t) => {
    const signIns = published(t, 'gosesh:sign-in')
    const thrown: unknown = 'a text'
    const credential = cookieCredential()
    const write = () => {
      throw thrown
    }
    const app = buildApp(t, { credentials: [{ ...credential, write }] })
    await app.inject({ method: 'POST', url: '/login', body: {} })
    const [{ error } = { error: null }] = signIns as { error: Error | null }[]
    t.type(error, Error)
    t.equal(error?.cause, thrown)
  })

  t.test('gosesh:sign-in and gosesh:sign-out, with what failed', async (t) => {
    const signIns = published(t, 'gosesh:sign-in')
    const signOuts = published(t, 'gosesh:sign-out')
    const ends = published(t, 'gosesh:session-end')
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const { cookie, session } = await signIn(app)
    store.fail('createSession')
    await app.inject({ method: 'POST', url: '/login', body: {} })
    store.fail('deleteSession')
    const logout = () => app.inject({ method: 'POST', url: '/logout-everywhere', headers: { cookie } })
    await logout()
    store.off('deleteSession')
    await logout()
    const failure = { code: 'GOSESH_ERR_STORE_UNAVAILABLE' }
    t.match(signIns, [
      { sessionId: session.id, userId: 'ada', credential: 'cookie', error: null, durationMs: Number },
      { sessionId: null, userId: 'ada', credential: 'cookie', error: failure },
    ])
    t.match(signOuts, [
      { sessionId: session.id, userId: 'ada', everywhere: true, error: failure, durationMs: Number },
      { sessionId: session.id, everywhere: true, error: null },
    ])
    t.match(ends, [{ reason: 'everywhere', sessionId: session.id, userId: 'ada' }])
  })

  t.test('gosesh:cross-origin', async (t) => {
    const messages = published(t, 'gosesh:cross-origin')
    const app = buildApp(t)
    const headers = { origin: 'https://evil.example' }
    await app.inject({ method: 'POST', url: '/login', headers, body: {} })
    t.same(messages, [{ sessionId: null, userId: null, method: 'POST', origin: 'https://evil.example' }])
  })

  t.test('gosesh:flush says what became of each batch', async (t) => {
    const messages = published(t, 'gosesh:flush')
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    await whoami(app, (await signIn(app)).cookie)
    store.fail('batchRecordActivity')
    await t.rejects(app.gosesh.activityTracker?.flush() ?? Promise.resolve())
    store.off('batchRecordActivity')
    await app.gosesh.activityTracker?.flush()
    t.match(messages, [
      { batchSize: 1, updatedCount: 0, durationMs: Number, error: { code: 'GOSESH_ERR_FLUSH' } },
      { batchSize: 1, updatedCount: Number, durationMs: Number, error: null },
    ])
  })

  t.test('gosesh:sweep says what became of each sweep', async (t) => {
    const messages = published(t, 'gosesh:sweep')
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, sweepInterval: 600_000 })
    await signIn(app, { idleTimeout: 1_000 })
    await time.advance(600_000, 10_000)
    store.fail('deleteExpiredSessions')
    await time.advance(600_000, 10_000)
    t.match(messages, [
      { deletedCount: 1, durationMs: Number, error: null },
      { deletedCount: 0, error: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } },
    ])
  })
})
