import cors from '@fastify/cors'
import Fastify from 'fastify'
import t from 'tap'
import gosesh, { requireSession } from '../../../lib/index.js'
import { addRoutes, buildApp, signIn, unknownToken } from '../../tools/app.js'

t.test('the exported requireSession', async (t) => {
  t.test(
    'answers 401 without a session and lets one through, declared before the plugin has loaded',
    async (t) => {
      const app = Fastify()
      t.teardown(() => app.close())
      app.register(gosesh)
      app.get('/guarded', { onRequest: requireSession }, async () => 'in')
      addRoutes(app)
      t.match((await app.inject('/guarded')).json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
      const { cookie } = await signIn(app)
      t.equal((await app.inject({ url: '/guarded', headers: { cookie } })).body, 'in')
    },
  )

  t.test('fails closed if gosesh is not registered in the context of the route', async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    app.register(async (scope) => {
      await scope.register(gosesh)
    })
    app.get('/guarded', { onRequest: requireSession }, async () => 'in')
    const response = await app.inject('/guarded')
    t.match(response.json(), { statusCode: 500, code: 'GOSESH_ERR_NOT_REGISTERED' })
  })
})

t.test('requireByDefault', async (t) => {
  t.test('guards every route that does not say otherwise', async (t) => {
    const app = buildApp(t, { requireByDefault: true })
    app.get('/open', { config: { session: { required: false } } }, async () => 'open')
    app.get('/quiet', { config: { session: { activity: false } } }, async () => 'in')
    app.post('/enter', { config: { session: { required: false } } }, async (_request, reply) =>
      reply.signIn('ada'),
    )
    for (const url of ['/whoami', '/quiet', '/me']) t.equal((await app.inject(url)).statusCode, 401, url)
    for (const url of ['/open', '/health']) t.equal((await app.inject(url)).statusCode, 200, url)
    const response = await app.inject({ method: 'POST', url: '/enter' })
    const cookie = String(response.headers['set-cookie']).split(';')[0] as string
    for (const url of ['/whoami', '/quiet', '/me']) {
      t.equal((await app.inject({ url, headers: { cookie } })).statusCode, 200, url)
    }
  })

  t.test('leaves an address without a route at 404, with and without a good token', async (t) => {
    const app = buildApp(t, { requireByDefault: true })
    await app.ready()
    const { token } = await app.gosesh.createSession('ada')
    for (const cookie of ['', `__Host-session=${token}`, `__Host-session=${unknownToken}`]) {
      t.equal((await app.inject({ url: '/nowhere', headers: { cookie } })).statusCode, 404)
    }
  })

  t.test('guards routes that were declared before it', async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    app.get('/early', async () => 'in')
    app.register(gosesh, { requireByDefault: true })
    t.equal((await app.inject('/early')).statusCode, 401)
  })

  t.test('lets the preflight of a CORS plugin through that was registered before it', async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(cors, { origin: 'https://app.example' })
    await app.register(gosesh, { requireByDefault: true })
    addRoutes(app)
    const preflight = await app.inject({
      method: 'OPTIONS',
      url: '/me',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'GET' },
    })
    t.equal(preflight.statusCode, 204)
    t.equal((await app.inject('/me')).statusCode, 401)
  })

  t.test('routes of another plugin are opened by a default of the context that they are in', async (t) => {
    const app = Fastify()
    t.teardown(() => app.close())
    await app.register(gosesh, { requireByDefault: true })
    await app.register(async (scope) => {
      scope.addHook('onRoute', (route) => {
        route.config = { session: { required: false }, ...route.config }
      })
      scope.register(async (plugin) => void plugin.get('/docs', async () => 'open'))
    })
    app.get('/guarded', async () => 'in')
    t.equal((await app.inject('/docs')).statusCode, 200)
    t.equal((await app.inject('/guarded')).statusCode, 401)
  })

  t.test('is true or false', async (t) => {
    const app = buildApp(t, { requireByDefault: 'yes' as never })
    await t.rejects(async () => await app.ready(), { code: 'GOSESH_ERR_OPTION', message: /requireByDefault/ })
  })
})
