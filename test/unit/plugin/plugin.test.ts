import cookie from '@fastify/cookie'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import gosesh, {
  bearerCredential,
  cookieCredential,
  type Logger,
  type SessionStore,
} from '../../../lib/index.js'
import { addRoutes, buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { recordingLogger } from '../../tools/logger.js'
import { plainStore } from './plugin-fixtures.js'

t.test('registration', async (t) => {
  t.test('works awaited and not awaited', async (t) => {
    for (const awaited of [true, false]) {
      const app = Fastify()
      t.teardown(() => app.close())
      const registered = app.register(gosesh)
      if (awaited) await registered
      addRoutes(app)
      const { cookie } = await signIn(app)
      t.equal((await whoami(app, cookie))?.userId, 'ada')
    }
  })

  t.test('reaches routes of the same context that were declared before it', async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    app.get('/early', { config: { session: { required: true } } }, async () => 'in')
    app.register(gosesh)
    t.equal((await app.inject('/early')).statusCode, 401)
  })

  t.test('twice in one context, or in one inside it, is an error', async (t) => {
    for (const nested of [false, true]) {
      const app = Fastify()
      t.teardown(() => app.close())
      app.register(gosesh)
      if (nested) app.register(async (child) => void child.register(gosesh))
      else app.register(gosesh)
      await t.rejects(Promise.resolve(app.ready()), { code: 'GOSESH_ERR_REGISTERED_TWICE' })
    }
  })

  t.test('reaches contexts that were there before it', async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(async (early) => {
      early.get('/open', async (request) => ({ session: request.session }))
      early.get('/required', { config: { session: { required: true } } }, async () => 'in')
      early.get('/hijacked', async (request, reply) => {
        const { userId } = request.requireSession()
        reply.hijack()
        reply.raw.end(userId)
      })
    })
    app.register(gosesh)
    addRoutes(app)
    t.same((await app.inject('/open')).json(), { session: null })
    const { cookie } = await signIn(app)
    for (const url of ['/required', '/hijacked']) {
      t.equal((await app.inject(url)).statusCode, 401, url)
      t.equal((await app.inject({ url, headers: { cookie } })).statusCode, 200, url)
    }
  })

  t.test('in an inner context, then in the outer one, leaves the inner one its own sessions', async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(
      async (inner) => {
        inner.register(gosesh, { credentials: [cookieCredential({ name: 'admin' })] })
        addRoutes(inner)
      },
      { prefix: '/admin' },
    )
    app.register(gosesh, { credentials: [cookieCredential({ name: 'shop' })] })
    addRoutes(app)
    const admin = cookieOf(await app.inject({ method: 'POST', url: '/admin/login', body: { user: 'root' } }))
    const { cookie: shop } = await signIn(app)
    const userOf = async (url: string, cookie: string) =>
      (await app.inject({ url, headers: { cookie } })).json().userId
    t.equal(await userOf('/admin/me', admin), 'root')
    t.equal(await userOf('/admin/me', `${admin}; ${shop}`), 'root')
    t.equal(await userOf('/me', `${admin}; ${shop}`), 'ada')
    t.equal(await userOf('/admin/me', shop), undefined)
    t.equal(await userOf('/me', admin), undefined)
  })

  t.test('in two sibling contexts makes two independent kinds of session', async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    for (const name of ['staff', 'shop']) {
      app.register(
        async (context) => {
          context.register(gosesh, { credentials: [cookieCredential({ name })] })
          addRoutes(context)
        },
        { prefix: `/${name}` },
      )
    }
    const staff = await app.inject({ method: 'POST', url: '/staff/login', body: {} })
    const shop = await app.inject({ method: 'POST', url: '/shop/login', body: { user: 'bo' } })
    const headers = { cookie: `${cookieOf(staff)}; ${cookieOf(shop)}` }
    t.equal((await app.inject({ url: '/staff/me', headers })).json().userId, 'ada')
    t.equal((await app.inject({ url: '/shop/me', headers })).json().userId, 'bo')
    await app.inject({ method: 'POST', url: '/staff/logout', headers })
    t.equal((await app.inject({ url: '/staff/me', headers })).statusCode, 401)
    t.equal((await app.inject({ url: '/shop/me', headers })).json().userId, 'bo')
  })

  t.test('brings @fastify/cookie, unless it is there or no credential is a cookie', async (t) => {
    const own = Fastify()
    t.teardown(() => own.close())
    own.register(cookie, { hook: false, parseOptions: { domain: 'evil.example', signed: true, maxAge: 1 } })
    own.register(gosesh)
    addRoutes(own)
    const response = await own.inject({ method: 'POST', url: '/login', body: {} })
    t.match(response.cookies, [{ name: '__Host-session', maxAge: 86_400, path: '/', secure: true }])
    t.notMatch(response.headers['set-cookie'], /domain/i, 'the defaults of @fastify/cookie stay out of it')
    t.equal((await whoami(own, cookieOf(response)))?.userId, 'ada', 'read although its hook never runs')

    const bearerOnly = buildApp(t, { credentials: [bearerCredential()] })
    await bearerOnly.ready()
    t.equal(bearerOnly.hasPlugin('@fastify/cookie'), false)
  })

  t.test('closing without ready does no harm', async (t) => {
    const app = Fastify()
    app.register(gosesh, { activityTracking: {} })
    await app.close()
    t.pass()
  })
})

t.test('the recorder is an optional interface', async (t) => {
  t.test('a store without batchRecordActivity works', async (t) => {
    const app = buildApp(t, { store: plainStore() })
    const { cookie } = await signIn(app)
    t.ok(await whoami(app, cookie))
    t.equal(app.gosesh.activityTracker, null)
  })

  t.test('only enabling tracking on it fails, at start-up, by name', async (t) => {
    const app = buildApp(t, { store: plainStore(), activityTracking: {} })
    await t.rejects(Promise.resolve(app.ready()), {
      code: 'GOSESH_ERR_STORE_CAPABILITY',
      message: /activityTracking needs .*batchRecordActivity/,
    })
  })

  t.test('so is the sweeper: asking for it fails, the default does not', async (t) => {
    await buildApp(t, { store: plainStore() }).ready()
    await buildApp(t, { store: plainStore(), sweepInterval: null }).ready()
    await t.rejects(Promise.resolve(buildApp(t, { store: plainStore(), sweepInterval: 1_000 }).ready()), {
      code: 'GOSESH_ERR_STORE_CAPABILITY',
      message: /sweepInterval needs .*deleteExpiredSessions/,
    })
  })

  t.test('and for a call it is the call that rejects', async (t) => {
    const app = buildApp(t, { store: plainStore() })
    await app.ready()
    await t.rejects(app.gosesh.listUserSessions('ada'), { code: 'GOSESH_ERR_STORE_CAPABILITY' })
    await t.rejects(app.gosesh.deleteAllSessions(), { code: 'GOSESH_ERR_STORE_CAPABILITY' })
  })
})

declare module 'fastify' {
  interface FastifyInstance {
    lateLog: Logger
    lateStore: SessionStore
  }
}

t.test('the logger is the final one whatever the order', async (t) => {
  const logger = recordingLogger()
  const cases: Record<string, (app: FastifyInstance) => void> = {
    'tracking given before the logger': (app) => app.register(gosesh, { activityTracking: {}, logger }),
    'the logger as a function': (app) => app.register(gosesh, { logger: () => logger, activityTracking: {} }),
    'a logger that a plugin registered later provides': (app) => {
      app.register(gosesh, { activityTracking: {}, logger: (instance) => instance.lateLog })
      app.register(fp(async (instance) => void instance.decorate('lateLog', logger)))
    },
  }
  for (const [name, register] of Object.entries(cases)) {
    t.test(name, async (t) => {
      logger.lines.length = 0
      const app = Fastify()
      t.teardown(() => app.close())
      register(app)
      addRoutes(app)
      const { cookie } = await signIn(app)
      await app.gosesh.activityTracker?.flush()
      t.same(logger.withMessage('flushed activity batch'), [], 'nothing was recorded yet')
      await whoami(app, cookie)
      await app.gosesh.activityTracker?.flush()
      t.match(logger.withMessage('flushed activity batch'), [
        { level: 'debug', details: { updatedCount: Number, batchSize: 1, durationMs: Number } },
      ])
    })
  }

  t.test('app.log by default', async (t) => {
    const written: string[] = []
    const stream = { write: (line: string) => void written.push(line) }
    const app = buildApp(t, { activityTracking: {} }, { logger: { level: 'debug', stream } })
    const { cookie } = await signIn(app)
    await whoami(app, cookie)
    await app.gosesh.activityTracker?.flush()
    t.match(written.join(''), '"msg":"flushed activity batch"')
  })

  t.test('a function that returns no logger fails start-up', async (t) => {
    const app = buildApp(t, { logger: () => ({}) as Logger })
    await t.rejects(Promise.resolve(app.ready()), { code: 'GOSESH_ERR_OPTION', message: /^Option logger/ })
  })
})
