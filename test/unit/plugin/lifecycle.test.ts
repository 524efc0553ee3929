import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import gosesh, {
  bearerCredential,
  cookieCredential,
  MemoryStore,
  type SessionStore,
} from '../../../lib/index.js'
import { addRoutes, buildApp, signIn, unknownToken, whoami } from '../../tools/app.js'
import { fakeTime, settle } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'
import { plainStore } from './plugin-fixtures.js'

t.test('the store', async (t) => {
  t.test('may be a function of the instance, a promise, or a function that returns one', async (t) => {
    for (const store of [
      (app: FastifyInstance) => app.lateStore,
      async (app: FastifyInstance) => app.lateStore,
      Promise.resolve(new MemoryStore()),
    ]) {
      const app = Fastify()
      t.teardown(() => app.close())
      app.register(gosesh, { store })
      app.register(fp(async (instance) => void instance.decorate('lateStore', new MemoryStore())))
      addRoutes(app)
      await app.after()
      t.throws(() => app.gosesh.store, { code: 'GOSESH_ERR_NOT_READY' })
      await t.rejects(app.gosesh.verifyToken(unknownToken), { code: 'GOSESH_ERR_NOT_READY' })
      await t.rejects(app.gosesh.createSession('ada'), { code: 'GOSESH_ERR_NOT_READY' })
      const { cookie } = await signIn(app)
      t.ok(await whoami(app, cookie))
      t.ok(app.gosesh.store)
    }
  })

  t.test('given as it is can be used before ready', async (t) => {
    const app = buildApp(t)
    await app.after()
    const { token, session } = await app.gosesh.createSession('ada')
    t.equal((await app.gosesh.verifyToken(token))?.id, session.id)
  })

  t.test('that is none, or a promise that rejects, fails start-up', async (t) => {
    const none = buildApp(t, { store: () => ({}) as SessionStore })
    await t.rejects(Promise.resolve(none.ready()), {
      code: 'GOSESH_ERR_OPTION',
      message: /^Option store is an object/,
    })
    const failing = buildApp(t, { store: Promise.reject(new Error('no database')) })
    await failing.after()
    await settle()
    await t.rejects(Promise.resolve(failing.ready()), { message: 'no database' })
  })
})

t.test('closing', async (t) => {
  t.test('a plugin registered before gosesh closes after the last flush', async (t) => {
    const order: string[] = []
    const store = new WatchedStore()
    store.on('batchRecordActivity', async (proceed) => {
      order.push('flush')
      return await proceed()
    })
    const database = fp(async (instance: FastifyInstance) => {
      instance.addHook('onClose', async () => void order.push('database closed'))
    })
    for (const first of [true, false]) {
      order.length = 0
      const app = Fastify()
      if (first) app.register(database)
      app.register(gosesh, { store, activityTracking: {} })
      if (!first) app.register(database)
      addRoutes(app)
      const { cookie } = await signIn(app)
      await whoami(app, cookie)
      await app.close()
      t.same(order, first ? ['flush', 'database closed'] : ['database closed', 'flush'])
    }
  })

  t.test('goes on although the last flush fails', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const logger = recordingLogger()
    const app = Fastify()
    let closed = false
    app.addHook('onClose', async () => {
      closed = true
    })
    app.register(gosesh, { store, logger, activityTracking: {} })
    addRoutes(app)
    const { cookie } = await signIn(app)
    await whoami(app, cookie)
    store.fail('batchRecordActivity')
    const closing = app.close()
    await time.advance(5_000, 100)
    await closing
    t.ok(closed)
    t.match(logger.withMessage('session activity lost at shutdown'), [
      { level: 'error', details: { lostCount: 1 } },
    ])
  })

  t.test('leaves no timer that keeps the process alive', async (t) => {
    const app = buildApp(t, { activityTracking: {} })
    await app.ready()
    await settle()
    t.notOk(process.getActiveResourcesInfo().includes('Timeout'), 'flush and sweep timers are unreferenced')
  })
})

t.test('the memory store in production is warned about once, and no other is', async (t) => {
  t.teardown(() => {
    process.env.NODE_ENV = environment
  })
  const environment = process.env.NODE_ENV
  for (const [env, store, warnings] of [
    ['production', new MemoryStore(), 1],
    ['development', new MemoryStore(), 0],
    ['production', plainStore(), 0],
  ] as const) {
    process.env.NODE_ENV = env
    const logger = recordingLogger()
    await buildApp(t, { logger, store }).ready()
    t.equal(logger.above('info').length, warnings)
  }
})

t.test('notBefore in the future is warned about', async (t) => {
  for (const [notBefore, warnings] of [
    [new Date(Date.now() + 60_000), 1],
    [new Date(), 0],
  ] as const) {
    const logger = recordingLogger()
    await buildApp(t, { logger, notBefore }).ready()
    t.equal(logger.above('info').length, warnings)
  }
})

t.test('a store that forgets sooner than a flush may come is warned about', async (t) => {
  for (const [expiryGrace, warnings] of [
    [66_999, 1],
    [67_000, 0],
  ] as const) {
    const logger = recordingLogger()
    const store = Object.assign(new MemoryStore(), { expiryGrace })
    await buildApp(t, { logger, store, activityTracking: {} }).ready()
    t.equal(logger.above('info').length, warnings)
  }
})

t.test('an idleTimeout within the flush margin is warned about', async (t) => {
  const logger = recordingLogger()
  const credentials = [bearerCredential(), cookieCredential({ idleTimeout: 60_000 })]
  await buildApp(t, { logger, credentials, activityTracking: {} }).ready()
  t.match(logger.above('info'), [
    { level: 'warn', details: { credential: 'cookie', idleTimeout: 60_000, margin: 67_000 } },
  ])
})
