import { Readable } from 'node:stream'
import Fastify from 'fastify'
import t from 'tap'
import { sessionCompat } from '../../../lib/compat/index.js'
import gosesh from '../../../lib/index.js'
import { setUp, writesOf } from './compat-fixtures.js'

const unavailable = { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' }

t.test('if the store fails at loading the request is 503, and nothing changes', async (t) => {
  const { run, store, jar, stored } = setUp(t)
  await run(({ session }) => {
    session.a = 1
    return {}
  })
  const cookies = { ...jar }
  for (const method of ['getSession', 'readData'] as const) {
    store.fail(method)
    let called = false
    const response = await run(() => {
      called = true
      return {}
    })
    t.match(response.json(), unavailable)
    t.same([called, response.headers['set-cookie']], [false, undefined])
    store.off(method)
  }
  store.on('readData', async () => new Map([['a', '{broken']]))
  t.match((await run(() => ({}))).json(), unavailable, 'also for what nobody can read')
  store.off('readData')
  t.same(jar, cookies)
  t.same(await stored(), { a: 1 })
})

t.test('if the store fails at saving the answer is 503 without a new cookie, tried once', async (t) => {
  const { run, store, jar, stored } = setUp(t)
  store.fail('createSession')
  const first = await run(({ session }, reply) => {
    session.a = 1
    return reply.redirect('/elsewhere')
  })
  t.match(first.json(), unavailable)
  t.equal(first.headers['set-cookie'], undefined)
  t.equal(first.headers['cache-control'], 'no-store')
  // It may have been made all the same.
  t.same(writesOf(store), { createSession: 1, deleteSession: 1 })
  store.off('createSession')
  await run(({ session }) => {
    session.a = 1
    return {}
  })
  store.fail('writeData')
  store.reset()
  const failed = await run(({ session }) => {
    session.a = 2
    return {}
  })
  t.match(failed.json(), unavailable)
  t.equal(failed.headers['set-cookie'], undefined)
  t.same(writesOf(store), { writeData: 1 })
  store.off('writeData')
  t.same(await stored(), { a: 1 })
  t.same(Object.keys(jar), ['__Host-visitor'])
})

t.test('if data cannot be written after regenerate, the old cookie goes on', async (t) => {
  const { run, store, jar, stored } = setUp(t)
  await run(async ({ session }, reply) => {
    await reply.signIn('ada')
    session.a = 1
    return {}
  })
  const cookies = { ...jar }
  for (const method of ['writeData', 'updateSession'] as const) {
    store.fail(method)
    const failed = await run(async ({ session }) => {
      await session.regenerate()
      session.b = 2
      return {}
    })
    t.match(failed.json(), unavailable)
    t.equal(failed.headers['set-cookie'], undefined)
    store.off(method)
    t.same(jar, cookies)
    t.same(await stored(), { a: 1 })
    t.equal((await run(() => ({}), { url: '/required', method: 'GET' })).statusCode, 200)
  }
  delete jar['__Host-session']
  await run(({ session }) => {
    session.a = 1
    return {}
  })
  const visitor = { ...jar }
  store.fail('createSession')
  const failed = await run(async ({ session }) => {
    await session.regenerate()
    session.passport = 'ada'
    return {}
  })
  t.match(failed.json(), unavailable)
  t.same(jar, visitor)
  t.same(await stored(), { a: 1 }, 'and nobody is signed in by it')
})

t.test('an explicit save that failed may be tried again, whatever it was to do', async (t) => {
  const { run, store, jar } = setUp(t)
  await run(async ({ session }, reply) => {
    await reply.signIn('ada')
    session.a = 1
    return {}
  })
  store.fail('deleteSession')
  await run(async ({ session }) => {
    await t.rejects(session.destroy(), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    store.off('deleteSession')
    return {}
  })
  t.same(jar, {}, 'the reply signed out')
})

t.test('saves one after the other: one that failed does not keep the next from saving', async (t) => {
  const { run, store, stored } = setUp(t)
  await run(({ session }) => {
    session.a = 1
    return {}
  })
  await run(async ({ session }) => {
    store.fail('writeData')
    session.a = 2
    const failing = session.save()
    session.b = 1
    const next = session.save()
    await t.rejects(failing, { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    store.off('writeData')
    await next
    t.notOk(session.isModified())
    return {}
  })
  t.same(await stored(), { a: 2, b: 1 })
})

t.test('a handler that throws has saved what it changed, and an onSend that throws saves once', async (t) => {
  const { app, run, store, stored } = setUp(t)
  app.addHook('onSend', async (request) => {
    if (request.headers['x-fail'] !== undefined) throw new Error('in onSend')
  })
  const thrown = await run(({ session }) => {
    session.a = 1
    throw new Error('in the handler')
  })
  t.equal(thrown.statusCode, 500)
  t.same(await stored(), { a: 1 })
  store.reset()
  const response = await run(
    ({ session }) => {
      session.a = 2
      return {}
    },
    { headers: { 'x-fail': '1' } },
  )
  t.equal(response.statusCode, 500)
  t.same(writesOf(store), { writeData: 1 })
  t.same(await stored(), { a: 2 })
})

t.test('a stream is sent once the data is saved, and closed if it is not', async (t) => {
  const { run, store, stored } = setUp(t)
  const streamed = await run(({ session }, reply) => {
    session.a = 1
    return reply.send(Readable.from(['one ', 'two']))
  })
  t.equal(streamed.body, 'one two')
  t.same(await stored(), { a: 1 })
  store.fail('writeData')
  const stream = Readable.from(['never'])
  const failed = await run(({ session }, reply) => {
    session.a = 2
    return reply.send(stream)
  })
  t.match(failed.json(), unavailable)
  t.ok(stream.destroyed)
})

t.test('a payload that Fastify cannot send is its error, with the data saved', async (t) => {
  const { run, stored } = setUp(t)
  const response = await run(({ session }, reply) => {
    session.a = 1
    return reply.type('text/plain').send({ not: 'text' })
  })
  t.match(response.json(), { code: 'FST_ERR_REP_INVALID_PAYLOAD_TYPE' })
  t.same(await stored(), { a: 1 })
})

t.test(
  'HEAD, 404 and an error handler have it; a route without sessions, and a refused request, save nothing',
  async (t) => {
    const { app, run, store, stored, jar } = setUp(t)
    app.setNotFoundHandler((request, reply) => {
      Object.assign(request.session as object, { missed: request.url })
      return reply.code(404).send('missing')
    })
    app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
      Object.assign(request.session as object, { failed: error.message })
      return reply.code(error.statusCode ?? 500).send('failed')
    })
    t.equal(
      (await run(({ session }) => Object.assign(session, { a: 1 }).data(), { method: 'HEAD' })).body,
      '',
    )
    t.equal((await run(() => {}, { url: '/missing' })).statusCode, 404)
    t.match(await stored(), { a: 1, missed: /^\/missing/ })
    store.reset()
    const off = await run(
      ({ session }) => {
        t.same(Object.keys(session), [])
        session.a = 2
        return session.save()
      },
      { url: '/off', method: 'GET' },
    )
    t.equal(off.statusCode, 200)
    const refused = await run(() => {}, { url: '/required', method: 'GET' })
    t.equal(refused.statusCode, 401)
    t.same(store.counts, {})
    t.match(await stored(), { a: 1, failed: undefined })
    t.same(Object.keys(jar), ['__Host-visitor'])
  },
)

t.test('what ends while a request runs is not revived: its writes are 401', async (t) => {
  const { run, app, jar, stored } = setUp(t)
  await run(async (_request, reply) => await reply.signIn('ada'))
  const response = await run(async ({ session, signInSession }) => {
    await app.gosesh.deleteSession(String(signInSession?.id))
    session.a = 1
    return {}
  })
  t.match(response.json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
  t.same(await stored(), {})
  t.ok(jar['__Host-session'])
})

t.test('it says at start-up what it lacks', async (t) => {
  const start = async (options: object | null, compat: object = {}) => {
    const app = Fastify()
    t.teardown(() => app.close())
    if (options !== null) app.register(gosesh, options)
    app.register(sessionCompat, compat)
    await app.ready()
  }
  await t.rejects(start(null), { code: 'GOSESH_ERR_NOT_REGISTERED' })
  await t.rejects(start({ visitors: {} }), {
    message: /^Option decorateAs is 'session'; expected another name/,
  })
  await t.rejects(start({ decorateAs: 'user' }), { message: /^Option visitors is false; expected {}/ })
  await t.rejects(start({ decorateAs: 'user', visitors: {} }, { rolling: true }), {
    message: /^Option rolling is true; expected no such option/,
  })
})
