import Fastify, {
  type FastifyContextConfig,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { pino } from 'pino'
import { describe, expect, test } from 'tstyche'
import gosesh, {
  type ActivityRecorder,
  type ActivityTracker,
  type AllSessionsDeleter,
  type DeviceCode,
  type DeviceCodeId,
  type DeviceCodeProvider,
  type EventError,
  type ExpiredSessionSweeper,
  type FlushError,
  isSessionId,
  MemoryStore,
  type MetadataSessionsDeleter,
  type Session,
  type SessionId,
  type SessionLister,
  type SessionStore,
  type SessionToken,
  type SignInMessage,
  type UserCodeId,
} from '../../../lib/index.js'

declare const app: FastifyInstance
declare const request: FastifyRequest
declare const reply: FastifyReply
declare const id: SessionId
declare const token: SessionToken

describe('what the plugin adds to Fastify', () => {
  test('the request', () => {
    expect(request.session).type.toBe<Session | null>()
    expect(request.requireSession()).type.toBe<Session>()
    expect(request).type.not.toHaveProperty('signIn')
  })

  test('the reply', () => {
    expect(reply.signIn('ada')).type.toBe<Promise<Session>>()
    expect(reply.signIn).type.toBeCallableWith('ada', {
      idleTimeout: null,
      absoluteTimeout: 1,
      metadata: { a: 'b' },
    })
    expect(reply.signIn).type.not.toBeCallableWith('ada', { metadata: { a: 1 } })
    expect(reply.signIn).type.not.toBeCallableWith('ada', { idle: 1 })
    expect(reply.signOut({ everywhere: true })).type.toBe<Promise<void>>()
  })

  test('the instance', () => {
    expect(app.gosesh.store).type.toBe<SessionStore>()
    expect(app.gosesh.activityTracker).type.toBe<ActivityTracker | null>()
    expect(app.get).type.toBeCallableWith('/', { onRequest: app.requireSession }, async () => 'in')
  })

  test('the guard is a hook, whatever the logger and the server', () => {
    const withPino = Fastify({ loggerInstance: pino() })
    expect(withPino.get).type.toBeCallableWith('/', { onRequest: withPino.requireSession }, async () => 'in')
    const overHttp2 = Fastify({ http2: true })
    expect(overHttp2.get).type.toBeCallableWith(
      '/',
      { onRequest: overHttp2.requireSession },
      async () => 'in',
    )
    expect(app.addHook).type.toBeCallableWith('onRequest', app.requireSession)
  })

  test('the route’s config.session', () => {
    expect(app.get).type.toBeCallableWith('/', { config: { session: false } }, async () => 'in')
    expect(app.get).type.toBeCallableWith('/', { config: { session: { required: true } } }, async () => 'in')
    expect<FastifyContextConfig['session']>().type.toBeAssignableFrom({ activity: false })
    expect<FastifyContextConfig['session']>().type.not.toBeAssignableFrom({ require: true })
    expect<FastifyContextConfig['session']>().type.not.toBeAssignableFrom(true)
  })
})

describe('tokens and ids', () => {
  test('one cannot be passed for the other', () => {
    expect(app.gosesh.verifyToken).type.toBeCallableWith(token)
    expect(app.gosesh.verifyToken).type.not.toBeCallableWith(id)
    expect(app.gosesh.deleteSession).type.toBeCallableWith(id)
    expect(app.gosesh.deleteSession).type.not.toBeCallableWith(token)
    expect(id).type.not.toBeAssignableTo<SessionToken>()
    expect(token).type.not.toBeAssignableTo<SessionId>()
  })

  test('a string from outside may be tried, but is neither until it is checked', () => {
    expect(app.gosesh.verifyToken).type.toBeCallableWith('a string')
    expect(app.gosesh.deleteSession).type.toBeCallableWith('a string')
    expect('a string').type.not.toBeAssignableTo<SessionId>()
    const text = 'a string' as string
    if (isSessionId(text)) expect(text).type.toBeAssignableTo<SessionId>()
  })
})

describe('stores', () => {
  test('MemoryStore has every capability', () => {
    expect<MemoryStore>().type.toBeAssignableTo<
      SessionStore &
        ActivityRecorder &
        SessionLister &
        ExpiredSessionSweeper &
        AllSessionsDeleter &
        MetadataSessionsDeleter &
        DeviceCodeProvider
    >()
  })

  test('the two ids of a device code cannot be passed for one another', () => {
    expect<DeviceCodeId>().type.not.toBeAssignableTo<UserCodeId>()
    expect<UserCodeId>().type.not.toBeAssignableTo<DeviceCodeId>()
    expect<DeviceCodeId>().type.not.toBeAssignableTo<SessionId>()
    expect<DeviceCode>().type.toBe<Readonly<DeviceCode>>()
  })

  test('the error of a message is an Error, whose code may be read', () => {
    expect<SignInMessage['error']>().type.toBe<EventError | null>()
    expect<EventError>().type.toBeAssignableTo<Error>()
    expect<EventError['code']>().type.toBe<string | undefined>()
  })

  test('a session cannot be changed', () => {
    expect<Session>().type.toBe<Readonly<Session>>()
  })
})

describe('options', () => {
  test('the store and the logger may be functions of the instance', () => {
    expect(app.register).type.toBeCallableWith(gosesh)
    expect(app.register).type.toBeCallableWith(gosesh, {
      store: (instance: FastifyInstance) => instance.gosesh.store,
      logger: (instance: FastifyInstance) => instance.log,
    })
    expect(app.register).type.toBeCallableWith(gosesh, { store: Promise.resolve(new MemoryStore()) })
  })

  test('onFlushError is told of a FlushError', () => {
    expect(app.register).type.toBeCallableWith(gosesh, {
      activityTracking: { onFlushError: (error: FlushError) => void error.batchSize },
    })
  })

  test('wrong ones do not compile', () => {
    expect(app.register).type.not.toBeCallableWith(gosesh, { refreshInterval: '1m' })
    expect(app.register).type.not.toBeCallableWith(gosesh, { activityTracking: true })
    expect(app.register).type.not.toBeCallableWith(gosesh, { sweep: 1 })
  })
})
