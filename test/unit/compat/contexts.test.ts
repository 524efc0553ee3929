import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { sessionCompat } from '../../../lib/compat/index.js'
import gosesh, { cookieCredential, MemoryStore } from '../../../lib/index.js'
import { cookieOf } from '../../tools/app.js'

/** An inner context with sessions of its own, and an outer one with `gosesh/compat`, which hears of the requests of both. */
function setUp(t: Test, decorateAs: string) {
  const [innerStore, outerStore] = [new MemoryStore(), new MemoryStore()]
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(
    async (inner) => {
      const cookie = cookieCredential({ name: 'admin', secure: false })
      inner.register(gosesh, { store: innerStore, credentials: [cookie], decorateAs })
      addRoutes(inner)
      inner.get('/who', async (request) => ({
        userId: (request as unknown as Record<string, { userId: string } | null>)[decorateAs]?.userId ?? null,
      }))
      // What nothing would save is not there.
      inner.get('/data', async (request) => ({ type: typeof request.session }))
    },
    { prefix: '/admin' },
  )
  app.register(gosesh, { store: outerStore, decorateAs: 'visitor', visitors: {} })
  app.register(sessionCompat)
  addRoutes(app)
  app.post('/assign', async (request) => {
    Object.assign(request, { session: {} })
  })
  return { app, outerStore }
}

function addRoutes(app: FastifyInstance): void {
  app.post('/login', async (_request, reply) => await reply.signIn('root'))
  app.post('/data', async ({ sessionData }) => {
    await sessionData.set('cart', [1])
    return {}
  })
}

t.test('an inner context that registered gosesh before keeps its own sessions', async (t) => {
  for (const decorateAs of ['session', 'signedIn']) {
    const { app } = setUp(t, decorateAs)
    const login = await app.inject({ method: 'POST', url: '/admin/login' })
    t.equal(login.statusCode, 200, decorateAs)
    const cookie = cookieOf(login)
    const who = await app.inject({ url: '/admin/who', headers: { cookie } })
    t.strictSame([who.statusCode, who.json()], [200, { userId: 'root' }], decorateAs)
    t.strictSame((await app.inject('/admin/who')).json(), { userId: null }, decorateAs)
  }
})

t.test('and its data reaches no visitor of the outer one', async (t) => {
  const { app } = setUp(t, 'signedIn')
  const visitor = cookieOf(await app.inject({ method: 'POST', url: '/data' }))
  t.match(visitor, /^__Host-visitor=/)
  const response = await app.inject({ method: 'POST', url: '/admin/data', headers: { cookie: visitor } })
  t.equal(response.statusCode, 401)
})

t.test('nor does it have the data that gosesh/compat holds for the outer one', async (t) => {
  const { app } = setUp(t, 'signedIn')
  t.strictSame((await app.inject('/admin/data')).json(), { type: 'undefined' })
})

t.test('request.session of gosesh/compat cannot be replaced', async (t) => {
  const { app } = setUp(t, 'signedIn')
  t.equal((await app.inject({ method: 'POST', url: '/assign' })).statusCode, 500)
})
