import t from 'tap'
import { bearerCredential, cookieCredential, type Session } from '../../../lib/index.js'
import { setUp, writesOf } from './compat-fixtures.js'

t.test('a sign-in begins with what it carries, and what was changed before is saved first', async (t) => {
  const { run, stored, jar } = setUp(t)
  await run(({ session }) => {
    session.planted = 'by somebody else'
    return {}
  })
  await run(async ({ session }, reply) => {
    session.cart = [1]
    await reply.signIn('ada', { carry: ['cart'] })
    t.same(session.data(), { cart: [1] }, 'and so it is to the rest of the request')
    session.welcome = true
    return {}
  })
  t.same(Object.keys(jar), ['__Host-session'])
  t.same(await stored(), { cart: [1], welcome: true })
  const response = await run(({ session, signInSession }) => [session.sessionId, signInSession?.id])
  t.equal(response.json()[0], response.json()[1])
})

t.test('without carry nothing comes over, not even what the request has just changed', async (t) => {
  const { run, stored, jar } = setUp(t)
  await run(({ session }) => {
    session.messages = ['planted']
    return {}
  })
  await run(async ({ session }, reply) => {
    ;(session.messages as string[]).push('of the application')
    await reply.signIn('ada')
    t.same(session.data(), {})
    return {}
  })
  t.same(await stored(), {})
  delete jar['__Host-session']
  t.same(await stored(), { messages: ['planted', 'of the application'] }, 'it is the visitor’s')
})

t.test('signing out empties it; what is set then is a visitor’s', async (t) => {
  const { run, stored, jar } = setUp(t)
  await run(async ({ session }, reply) => {
    await reply.signIn('ada')
    session.secret = 1
    return {}
  })
  await run(async ({ session }, reply) => {
    session.unsaved = 1
    await reply.signOut()
    t.same(session.data(), {})
    session.notice = 'Signed out'
    return {}
  })
  t.same(Object.keys(jar), ['__Host-visitor'])
  t.same(await stored(), { notice: 'Signed out' })
})

t.test('regenerate gives a session a new secret and is no proof of anything', async (t) => {
  const { run, stored, jar, app } = setUp(t)
  await run(async ({ session }, reply) => {
    await reply.signIn('ada', { factors: ['pwd'] })
    Object.assign(session, { a: 1, b: 2 })
    return {}
  })
  const before = (await run(({ signInSession }) => signInSession)).json() as Session
  const old = { ...jar }
  await run(async ({ session }) => {
    // Another request writes meanwhile.
    await app.gosesh.sessionData(before.id).set('late', 1)
    await session.regenerate(['b'])
    t.same(session.data(), { b: 2 })
    t.ok(session.isModified())
    session.c = 3
    return {}
  })
  t.not(jar['__Host-session'], old['__Host-session'])
  t.same(await stored(), { b: 2, c: 3 })
  const after = (await run(({ signInSession }) => signInSession)).json() as Session
  t.same({ ...after, lastActivityAt: null }, { ...before, lastActivityAt: null })
  const withOld = await app.inject({ url: '/required', cookies: old })
  t.equal(withOld.statusCode, 401, 'the old cookie is no good any more')
})

t.test('regenerate makes a visitor a new one, and the old one ends', async (t) => {
  const { run, stored, jar, store } = setUp(t)
  await run(({ session }) => {
    Object.assign(session, { a: 1, b: 2 })
    return {}
  })
  const old = { ...jar }
  const ids = await run(async ({ session }) => {
    const { sessionId } = session
    await session.regenerate(['b'])
    session.c = 3
    return [sessionId, session.sessionId]
  })
  t.not(ids.json()[0], ids.json()[1])
  t.equal(jar['__Host-visitor']?.slice(0, 22), ids.json()[1])
  t.same(await stored(), { b: 2, c: 3 })
  const now = { ...jar }
  Object.assign(jar, old)
  t.same(await stored(), {}, 'and takes its data along')
  Object.assign(jar, now)
  store.reset()
  await run(async ({ session }) => {
    await session.regenerate()
    return {}
  })
  t.same(writesOf(store), { deleteSession: 1 }, 'without any data nobody takes its place')
  t.same(jar, {})
})

t.test('regenerate without a cookie stores nothing before there is data', async (t) => {
  const { run, store, jar } = setUp(t)
  await run(async ({ session }) => {
    await session.regenerate(['a'])
    return {}
  })
  t.same([store.counts, jar], [{}, {}])
  await run(async (request, reply) => {
    await reply.signIn('ada')
    await request.session.regenerate()
    request.session.a = 1
    return {}
  })
  t.notOk(store.counts.updateSession, 'a session that has just begun has a new secret')
})

t.test('regenerate leaves a bearer token alone, which no reply can replace', async (t) => {
  const { app, run } = setUp(t, { credentials: [bearerCredential(), cookieCredential()] })
  await app.ready()
  const { session, token } = await app.gosesh.createSession('ada')
  await app.gosesh.sessionData(session.id).set('a', 1)
  const headers = { authorization: `Bearer ${token}` }
  await run(
    async (request) => {
      await request.session.regenerate()
      request.session.b = 2
      return {}
    },
    { headers },
  )
  t.same(await app.gosesh.sessionData(session.id).all(), { b: 2 })
  t.ok(await app.gosesh.verifyToken(token))
})

t.test('a second regenerate at the same time is 401, as its cookie is no good any more', async (t) => {
  const { run } = setUp(t)
  await run(async (_request, reply) => await reply.signIn('ada'))
  const regenerate = () =>
    run(async ({ session }) => {
      await session.regenerate()
      return {}
    })
  const statuses = (await Promise.all([regenerate(), regenerate()])).map(({ statusCode }) => statusCode)
  t.same(statuses.sort(), [200, 401])
  t.equal((await run(({ signInSession }) => ({ is: signInSession !== null }))).json().is, true)
})

t.test('destroy and delete sign out, or end the visitor', async (t) => {
  for (const how of ['destroy', 'delete'] as const) {
    const { run, jar, app } = setUp(t)
    await run(async ({ session }, reply) => {
      await reply.signIn('ada')
      session.a = 1
      return {}
    })
    const { id } = (await run(({ signInSession }) => signInSession)).json()
    await run(async ({ session }) => {
      await session[how]()
      session.b = 2
      return {}
    })
    t.equal(await app.gosesh.getSession(id), null)
    t.same(Object.keys(jar), how === 'delete' ? [] : ['__Host-visitor'])
    for (const name of Object.keys(jar)) delete jar[name]
    await run(({ session }) => {
      session.a = 1
      return {}
    })
    t.same(Object.keys(jar), ['__Host-visitor'])
    await run(async ({ session }) => {
      await session[how]()
      return {}
    })
    t.same(jar, {})
    await run(async ({ session }) => {
      await session[how]()
      return {}
    })
  }
})

t.test('a re-authentication keeps the data', async (t) => {
  const { run, stored } = setUp(t)
  await run(async ({ session }, reply) => {
    await reply.signIn('ada')
    session.a = 1
    return {}
  })
  await run(async ({ session }, reply) => {
    session.b = 2
    await reply.reauthenticate()
    return {}
  })
  t.same(await stored(), { a: 1, b: 2 })
})

t.test('a page of another origin begins no visitor, renews none and signs nobody out', async (t) => {
  const { run, jar, stored } = setUp(t)
  const headers = { origin: 'https://evil.example' }
  const set = await run(
    ({ session }) => {
      session.a = 1
      return {}
    },
    { headers },
  )
  t.match(set.json(), { code: 'GOSESH_ERR_CROSS_ORIGIN', statusCode: 403 })
  t.same(jar, {})
  await run(({ session }) => {
    session.a = 1
    return {}
  })
  const renewed = await run(
    async ({ session }) => {
      await session.regenerate(['a'])
      return {}
    },
    { headers },
  )
  t.match(renewed.json(), { code: 'GOSESH_ERR_CROSS_ORIGIN' })
  for (const how of ['destroy', 'regenerate'] as const) {
    const ended = await run(async ({ session }) => await session[how](), { headers })
    t.match(ended.json(), { code: 'GOSESH_ERR_CROSS_ORIGIN' }, how)
  }
  t.same(await stored(), { a: 1 })
})
