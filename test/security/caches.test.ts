import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import gosesh from '../../lib/index.js'
import { addRoutes, cookieOf, signIn } from '../tools/app.js'
import { WatchedStore } from '../tools/store.js'

/** An application whose every response may be stored by shared caches, unless gosesh says otherwise. */
async function cachedApp(t: Test, store = new WatchedStore()): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook(
    'onRequest',
    async (_request, reply) => void reply.header('cache-control', 'public, max-age=60'),
  )
  await app.register(gosesh, { store })
  addRoutes(app)
  return app
}

const neverStored = { 'cache-control': 'no-store', vary: 'Cookie' }

t.test(
  'a response that writes or clears a credential is never stored, whatever was set before',
  async (t) => {
    const app = await cachedApp(t)
    const set = (reply: FastifyReply) => reply.header('cache-control', 'public, max-age=60')
    app.post('/login-then-public', async (_request, reply) => {
      await reply.signIn('ada')
      return set(reply).send('in')
    })
    for (const url of ['/login', '/login-then-public', '/logout']) {
      const { headers } = await app.inject({ method: 'POST', url, body: {} })
      t.ok(headers['set-cookie'], url)
      t.match(headers, neverStored, url)
    }
  },
)

t.test('a sign-in and a sign-out inside of an onSend are never stored either', async (t) => {
  const app = await cachedApp(t)
  app.get('/in', { onSend: async (_request, reply) => void (await reply.signIn('ada')) }, async () => 'in')
  app.get('/out', { onSend: async (_request, reply) => void (await reply.signOut()) }, async () => 'out')
  for (const url of ['/in', '/out']) {
    const { headers } = await app.inject(url)
    t.ok(headers['set-cookie'], url)
    t.match(headers, neverStored, url)
  }
})

t.test('the 401, 403 and 503 of gosesh are never stored', async (t) => {
  const store = new WatchedStore()
  const app = await cachedApp(t, store)
  app.get('/by-hand', async (request) => request.requireSession())
  for (const url of ['/me', '/by-hand']) {
    const response = await app.inject(url)
    t.equal(response.statusCode, 401)
    t.equal(response.headers['cache-control'], 'no-store', url)
  }
  const { cookie } = await signIn(app)
  const evil = { cookie, origin: 'https://evil.example' }
  const refused = await app.inject({ method: 'POST', url: '/logout', headers: evil })
  t.equal(refused.statusCode, 403)
  t.equal(refused.headers['cache-control'], 'no-store')
  store.fail('getSession')
  const failed = await app.inject({ url: '/whoami', headers: { cookie } })
  t.equal(failed.statusCode, 503)
  t.equal(failed.headers['cache-control'], 'no-store')
})

t.test('nor are they if the application answers with a page of its own', async (t) => {
  const app = await cachedApp(t)
  app.setErrorHandler((error: { statusCode?: number }, _request, reply) =>
    reply
      .code(error.statusCode ?? 500)
      .header('cache-control', 'public')
      .send('a page'),
  )
  app.get('/guarded', { config: { session: { required: true } } }, async () => 'in')
  const response = await app.inject('/guarded')
  t.match(response, { statusCode: 401, body: 'a page', headers: { 'cache-control': 'no-store' } })
})

t.test('an anonymous response and other errors keep what the application says', async (t) => {
  const app = await cachedApp(t)
  app.get('/throws', async () => {
    throw new Error('of the application')
  })
  for (const url of ['/whoami', '/throws', '/nowhere']) {
    t.equal((await app.inject(url)).headers['cache-control'], 'public, max-age=60', url)
  }
})

t.test('a verified response keeps what its handler says, and depends on the credential', async (t) => {
  const app = await cachedApp(t)
  const response = await app.inject({ method: 'POST', url: '/login', body: {} })
  const { headers } = await app.inject({ url: '/whoami', headers: { cookie: cookieOf(response) } })
  t.match(headers, { 'cache-control': 'public, max-age=60', vary: 'Cookie' })
})
