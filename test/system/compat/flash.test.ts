import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { flash, listen } from './app.js'

/** The calls of @fastify/flash, each as a route. */
function routes(app: FastifyInstance): void {
  app.register(flash)
  app.post<{ Body: Record<string, string> }>('/say', async (request) =>
    Object.entries(request.body).map(([type, text]) => request.flash(type, text)),
  )
  app.post('/say-list', async (request) => request.flash('warning', ['name required', 'password required']))
  app.post('/say-formatted', async (request) => [
    request.flash('info', 'Hello %s', 'Ada'),
    request.flash('info', 'Hello %s %s', 'Ada', 'Lovelace'),
  ])
  app.post('/say-nothing', async (request) => request.flash('info'))
  app.get<{ Params: { type: string } }>('/heard/:type', async (request, reply) =>
    reply.flash(request.params.type),
  )
  app.get('/heard', async (_request, reply) => reply.flash())
  app.post('/both', async (request, reply) => {
    request.flash('error', 'Something went wrong')
    return reply.flash('error')
  })
  app.post('/redirecting', async (request, reply) => {
    request.flash('notice', 'Saved')
    return reply.redirect('/heard/notice', 303)
  })
}

t.test('a message is shown once: in the same request, in the next one, after a redirect', async (t) => {
  const client = (await listen(t, routes)).open()
  t.equal((await client.post('/both')).body, '["Something went wrong"]')
  t.equal((await client.get('/heard/error')).body, '[]')
  t.equal((await client.post('/say-list')).body, '2')
  t.equal((await client.get('/heard/warning')).body, '["name required","password required"]')
  t.equal((await client.get('/heard/warning')).body, '[]')
  const { status, location } = await client.post('/redirecting')
  t.equal(status, 303)
  t.equal((await client.get(String(location))).body, '["Saved"]')
})

t.test('types are independent, formats are filled in, and everything can be taken at once', async (t) => {
  const client = (await listen(t, routes)).open()
  t.equal((await client.post('/say', { info: 'one', error: 'bad' })).body, '[1,1]')
  t.equal((await client.post('/say', { info: 'two' })).body, '[2]')
  t.equal((await client.get('/heard/info')).body, '["one","two"]')
  t.equal((await client.get('/heard/absent')).body, '[]')
  t.equal((await client.get('/heard/error')).body, '["bad"]')
  t.equal((await client.post('/say-formatted')).body, '[1,2]')
  await client.post('/say', { error: 'worse' })
  t.same(JSON.parse((await client.get('/heard')).body), {
    info: ['Hello Ada', 'Hello Ada Lovelace'],
    error: ['worse'],
  })
  t.equal((await client.get('/heard')).body, '{}')
  t.match(JSON.parse((await client.post('/say-nothing')).body), {
    statusCode: 500,
    message: 'Provide a message to flash.',
  })
})

t.test('each browser has its own, signed in or not', async (t) => {
  const { open } = await listen(t, (app) => {
    routes(app)
    app.post('/sign-in', async (_request, reply) => {
      await reply.signIn('ada', { carry: ['flash'] })
      return {}
    })
  })
  const [ada, bo] = [open(), open()]
  await ada.post('/say', { info: 'for Ada' })
  t.equal((await bo.get('/heard/info')).body, '[]')
  await ada.post('/sign-in')
  t.equal((await ada.get('/heard/info')).body, '["for Ada"]')
  await ada.post('/say', { info: 'to a session' })
  t.equal((await ada.get('/heard/info')).body, '["to a session"]')
})
