import csrf from '@fastify/csrf-protection'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { listen } from './app.js'

type Mode = '@fastify/session' | '@fastify/secure-session'

const modes: readonly Mode[] = ['@fastify/session', '@fastify/secure-session']

const routes = (mode: Mode) => async (app: FastifyInstance) => {
  await app.register(csrf, { sessionPlugin: mode })
  app.get('/token', async (_request, reply) => reply.generateCsrf())
  // Options of a cookie are taken, and change nothing.
  app.get('/token-with-options', async (_request, reply) => reply.generateCsrf({ path: '/hello' }))
  app.post('/change', { preValidation: app.csrfProtection }, async (request) => request.body)
  app.post('/change-early', { onRequest: app.csrfProtection }, async () => 'changed')
  app.post('/sign-in', async (_request, reply) => {
    await reply.signIn('ada')
    return 'in'
  })
}

for (const mode of modes) {
  t.test(`the mode ${mode}`, async (t) => {
    const { open } = await listen(t, (app) => app.register(routes(mode)))

    t.test('a token is good with its cookie: in the body, and in each header', async (t) => {
      const client = open()
      const first = (await client.get('/token')).body
      const cookie = client.cookies.get('__Host-visitor')
      const token = (await client.get('/token')).body
      t.not(token, first)
      t.equal(client.cookies.get('__Host-visitor'), cookie)
      for (const one of [first, token, (await client.get('/token-with-options')).body]) {
        t.same(JSON.parse((await client.post('/change', { _csrf: one, hello: 'world' })).body).hello, 'world')
        for (const name of ['csrf-token', 'xsrf-token', 'x-csrf-token', 'x-xsrf-token']) {
          t.equal((await client.post('/change', { a: 'b' }, { [name]: one })).status, 200, name)
        }
      }
      t.equal((await client.post('/change-early', {}, { 'csrf-token': token })).body, 'changed')
    })

    t.test('without a token, or with that of another browser, it is refused', async (t) => {
      const [client, other, fresh] = [open(), open(), open()]
      await client.get('/token')
      const { body } = await other.get('/token')
      t.match(JSON.parse((await fresh.post('/change')).body), {
        statusCode: 403,
        message: 'Missing csrf secret',
      })
      for (const token of ['', body]) {
        const refused = await client.post('/change', {}, { 'csrf-token': token })
        t.match(JSON.parse(refused.body), { statusCode: 403, message: 'Invalid csrf token' })
      }
    })

    t.test('a sign-in leaves the old secret behind', async (t) => {
      const client = open()
      const { body } = await client.get('/token')
      await client.post('/sign-in')
      t.equal((await client.post('/change', {}, { 'csrf-token': body })).status, 403)
      const next = (await client.get('/token')).body
      t.equal((await client.post('/change', {}, { 'csrf-token': next })).status, 200)
    })
  })

  t.test(`tokens of ${mode} that are bound to a user`, async (t) => {
    const { open } = await listen(t, (app) => {
      app.register(async (routes) => {
        const userOf = (session: unknown): string => (session as { username: string }).username
        await routes.register(csrf, {
          sessionPlugin: mode,
          getUserInfo: (request) => userOf(request.session),
          csrfOpts: { hmacKey: 'known to nobody else' },
        })
        routes.post<{ Body: { username: string } }>('/login', async (request, reply) => {
          Object.assign(request.session as object, { username: request.body.username })
          return reply.generateCsrf({ userInfo: request.body.username })
        })
        routes.post('/change', { preHandler: routes.csrfProtection }, async () => 'changed')
      })
    })
    const client = open()
    const token = (await client.post('/login', { username: 'ada' })).body
    t.equal((await client.post('/change', { _csrf: token })).body, 'changed')
    await client.post('/login', { username: 'bo' })
    t.equal((await client.post('/change', { _csrf: token })).status, 403)
  })
}
