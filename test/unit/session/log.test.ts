import { Writable } from 'node:stream'
import Fastify from 'fastify'
import t from 'tap'
import gosesh, { type SessionId } from '../../../lib/index.js'
import { SessionEvents } from '../../../lib/session/events.js'
import { addRoutes, buildApp, signIn, whoami } from '../../tools/app.js'
import { steppingClock } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'

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
