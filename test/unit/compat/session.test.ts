import t from 'tap'
import { setUp, writesOf } from './compat-fixtures.js'

t.test('request.session is never null, and has what is set by call or as a property', async (t) => {
  const { run, stored } = setUp(t)
  const response = await run(({ session, signInSession }) => {
    t.equal(signInSession, null)
    t.same(Object.keys(session), [])
    session.set('a', 1)
    session.b = { c: [2] }
    t.same(Object.keys(session), ['a', 'b'])
    t.equal(session.get('a'), 1)
    t.same(session.get('b'), { c: [2] })
    t.equal(session.get('missing'), undefined)
    t.equal(session.get('save'), undefined, 'a call is no data')
    t.same(session.data(), { a: 1, b: { c: [2] } })
    session.set('gone', 1)
    session.set('gone', undefined)
    session.alsoGone = undefined
    return { id: session.sessionId }
  })
  t.same(await stored(), { a: 1, b: { c: [2] } })
  const again = await run(({ session }) => ({ id: session.sessionId }))
  t.match(response.json().id, /^[\w-]{22}$/)
  t.same(again.json(), response.json(), 'the id is that of the visitor who was made')
})

t.test('keys that mean something to JavaScript are keys like any other', async (t) => {
  const { run, stored } = setUp(t)
  const planted = JSON.parse('{"__proto__":{"polluted":1},"constructor":2,"data":3}')
  await run(({ session }) => {
    for (const [key, value] of Object.entries(planted)) session.set(key, value)
    return {}
  })
  const response = await run(({ session }) => {
    t.equal(session.get('data'), 3)
    t.equal(session.polluted, undefined)
    t.same(Object.keys(session), ['__proto__', 'constructor', 'data'])
    session.set('data', undefined)
    return session.data()
  })
  t.equal(response.statusCode, 200)
  t.same((await stored()).constructor, 2)
})

t.test('data of the name of a call hides that call from the handler alone', async (t) => {
  const { run, stored } = setUp(t)
  const names = ['set', 'get', 'data', 'save', 'isModified', 'sessionId', 'last']
  await run(({ session }) => Object.assign(session, Object.fromEntries(names.map((name) => [name, 1]))))
  const response = await run((request, reply) => {
    t.same(Object.keys(request.session).sort(), [...names].sort())
    return reply.signIn('ada')
  })
  t.equal(response.statusCode, 200)
  t.same(await stored(), {}, 'a sign-in begins anew')
  const out = await run(async (request, reply) => {
    Object.assign(request.session, { set: 1, x: 2 })
    await request.session.save()
    await reply.signOut()
    return {}
  })
  t.equal(out.statusCode, 200)
})

t.test('only what has changed is written, however deep, once', async (t) => {
  const { run, stored, store } = setUp(t)
  await run(({ session }) => {
    session.user = { name: 'Ada', tags: ['a'] }
    session.cart = [1]
    session.old = true
    return {}
  })
  store.reset()
  await run(({ session }) => {
    const user = session.user as { name: string; tags: string[] }
    user.tags.push('b')
    session.set('cart', [1])
    delete session.old
    t.ok(session.isModified())
    return {}
  })
  const [write, ...more] = store.calls.filter(({ method }) => method === 'writeData')
  t.same(more, [])
  t.same(
    write?.args[1],
    new Map([
      ['user', '{"name":"Ada","tags":["a","b"]}'],
      ['old', null],
    ]),
  )
  t.same(await stored(), { user: { name: 'Ada', tags: ['a', 'b'] }, cart: [1] })
})

t.test(
  'a request without a cookie reads nothing, and one that changes nothing is answered at once',
  async (t) => {
    const { run, store } = setUp(t)
    await run(({ session }) => ({ modified: session.isModified() }))
    t.same(store.counts, {})
    await run(({ session }) => {
      session.a = 1
      return {}
    })
    store.reset()
    const response = await run((request, reply) => {
      t.equal(request.session.a, 1)
      void reply.send('answered')
      t.ok(reply.sent, 'as passport expects, which does not wait')
      return reply
    })
    t.equal(response.body, 'answered')
    t.same(store.counts, { getSession: 1, readData: 1 })
  },
)

t.test(
  'while it is saved the reply counts as sent: no handler runs on, and nothing else goes out',
  async (t) => {
    const { app, run, stored } = setUp(t)
    const seen: string[] = []
    const refuse = async (
      request: { session: unknown },
      reply: { code(n: number): { send(s: string): void } },
    ) => {
      Object.assign(request.session as object, { messages: ['no'] })
      // As @fastify/passport refuses: neither awaited nor returned.
      reply.code(401).send('refused')
    }
    app.get('/guarded', { preValidation: refuse as never }, async () => {
      seen.push('handler')
      return 'for nobody'
    })
    const refused = await app.inject('/guarded')
    t.equal(refused.statusCode, 401)
    t.equal(refused.body, 'refused')
    t.same(seen, [])
    const twice = await run(async ({ session }, reply) => {
      session.a = 1
      reply.code(202).send('first')
      t.ok(reply.sent)
      throw new Error('thrown after the answer')
    })
    t.match({ ...twice, body: twice.body }, { statusCode: 202, body: 'first' })
    t.same(await stored(), { a: 1 })
  },
)

t.test('two requests that change different keys both stay', async (t) => {
  const { run, stored } = setUp(t)
  await run(({ session }) => {
    session.a = { n: 1 }
    session.b = { n: 1 }
    return {}
  })
  await Promise.all(
    ['a', 'b', 'c', 'd'].map((key) =>
      run(({ session }) => {
        session[key] = { n: 2 }
        return {}
      }),
    ),
  )
  t.same(await stored(), { a: { n: 2 }, b: { n: 2 }, c: { n: 2 }, d: { n: 2 } })
})

t.test('save, reload, regenerate and destroy take a callback too', async (t) => {
  const { run, store, jar } = setUp(t)
  await run(async ({ session }) => {
    session.a = 1
    await new Promise((resolve) => session.save(resolve as never))
    t.same(writesOf(store), { createSession: 1 })
    t.notOk(session.isModified())
    session.a = 2
    await new Promise((resolve) => session.reload(resolve as never))
    t.equal(session.a, 1)
    session.a = 3
    await session.reload()
    t.equal(session.a, 1)
    session.options({ maxAge: 1 })
    await new Promise((resolve) => session.regenerate(resolve as never))
    t.same(Object.keys(session), [])
    session.a = 4
    await new Promise((resolve) => session.regenerate(['a'], resolve as never))
    t.same(session.data(), { a: 4 })
    await new Promise((resolve) => session.destroy(resolve as never))
    t.same(Object.keys(session), [])
    return {}
  })
  t.same(jar, {})
  store.fail('createSession')
  await run(async ({ session }) => {
    session.a = 1
    const error = await new Promise((resolve) => session.save(resolve as never))
    t.match(error, { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    await t.rejects(session.save(), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    session.set('a', undefined)
    return {}
  })
})

t.test('touch lets a visitor live on', async (t) => {
  const time = { now: Date.parse('2030-01-01T00:00:00Z') }
  const { run, store, stored } = setUp(t, { clock: { now: () => time.now } })
  await run(({ session }) => {
    session.touch()
    return {}
  })
  t.same(writesOf(store), {}, 'there is none yet')
  await run(({ session }) => {
    session.a = 1
    return {}
  })
  time.now += 6 * 86_400_000
  await run(({ session }) => {
    session.touch()
    return {}
  })
  t.match(writesOf(store), { extendSession: 1 })
  time.now += 6 * 86_400_000
  t.same(await stored(), { a: 1 })
  store.on('extendSession', async () => false)
  await run(({ session }) => {
    session.b = 2
    return {}
  })
  t.same(await stored(), { b: 2 }, 'who was swept meanwhile begins anew')
})

t.test('what cannot be stored is an error, and writes nothing', async (t) => {
  const { run, store } = setUp(t)
  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  for (const [key, value, code, statusCode] of [
    ['a', cycle, 'GOSESH_ERR_DATA_VALUE', 500],
    ['a', 1n, 'GOSESH_ERR_DATA_VALUE', 500],
    ['a', () => {}, 'GOSESH_ERR_DATA_VALUE', 500],
    ['a', 'x'.repeat(20_000), 'GOSESH_ERR_DATA_TOO_LARGE', 413],
    ['k'.repeat(65), 1, 'GOSESH_ERR_DATA_KEY', 400],
  ] as const) {
    const response = await run(({ session }) => {
      session[key] = value
      return {}
    })
    t.match({ ...response.json() }, { code, statusCode })
    const rejected = await run(async ({ session }) => {
      session[key] = value
      await t.rejects(session.save(), { code })
      return { code: await session.save().catch((error) => error.code) }
    })
    t.equal(rejected.json().code, code)
  }
  const tooMany = await run(({ session }) => {
    for (let i = 0; i <= 50; i++) session[`k${i}`] = i
    return {}
  })
  t.match(tooMany.json(), { code: 'GOSESH_ERR_DATA_TOO_LARGE' })
  t.same(writesOf(store), {})
  await run(({ session }) => {
    session.a = { deep: {} }
    return {}
  })
  const deep = await run(({ session }) => {
    Object.assign((session.a as { deep: object }).deep, cycle)
    return {}
  })
  t.match(deep.json(), { code: 'GOSESH_ERR_DATA_VALUE' })
  t.same(writesOf(store), { createSession: 1 })
})

t.test('a route with session: false has an empty one, which reload leaves empty', async (t) => {
  const { run, store } = setUp(t)
  await run(({ session }) => {
    session.a = 1
    return {}
  })
  store.reset()
  const response = await run(
    async ({ session }) => {
      await session.reload()
      return session.data()
    },
    { url: '/off', method: 'GET' },
  )
  t.same(response.json(), {})
  t.same(store.counts, {})
})
