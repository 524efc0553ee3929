import t from 'tap'
import { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { cookieOf, signIn, unknownToken, whoami } from '../../tools/app.js'
import { confirm, hour, minute, setUp, start } from './reauthenticate-fixtures.js'

t.test('reply.reauthenticate', async (t) => {
  t.test(
    'keeps the session and its id, and gives the client a new token; the old one is no good',
    async (t) => {
      const { app } = setUp(t, { activityTracking: {} })
      const { cookie, session } = await signIn(app, { metadata: { device: 'phone' } })
      const response = await confirm(app, cookie)
      t.equal(response.statusCode, 200)
      const renewed = cookieOf(response)
      t.not(renewed, cookie)
      t.equal(renewed.slice(0, 38), cookie.slice(0, 38), 'the id is the same')
      t.equal(await whoami(app, cookie), null)
      t.match(await whoami(app, renewed), { id: session.id, userId: 'ada', metadata: { device: 'phone' } })
      t.equal((await app.gosesh.listUserSessions('ada')).length, 1)
    },
  )

  t.test('authenticatedAt is now, the factors are merged with their times, createdAt stays', async (t) => {
    const { app, time } = setUp(t)
    const { cookie, session } = await signIn(app, { factors: ['pwd', 'otp'] })
    t.match(session, {
      authenticatedAt: new Date(start).toISOString(),
      factors: [
        { method: 'pwd', at: new Date(start).toISOString() },
        { method: 'otp', at: new Date(start).toISOString() },
      ],
    })
    time.now += minute
    const confirmed = (await confirm(app, cookie, { factors: ['otp', 'hwk'] })).json()
    const later = new Date(start + minute).toISOString()
    t.equal(confirmed.createdAt, new Date(start).toISOString())
    t.equal(confirmed.authenticatedAt, later)
    t.same(confirmed.factors, [
      { method: 'pwd', at: new Date(start).toISOString() },
      { method: 'otp', at: later },
      { method: 'hwk', at: later },
    ])
  })

  t.test(
    'the absolute deadline starts again with the session’s own timeout, the idle one from now',
    async (t) => {
      const { app, time } = setUp(t)
      const { cookie } = await signIn(app, { absoluteTimeout: 40 * minute, idleTimeout: 30 * minute })
      time.now += 20 * minute
      const response = await confirm(app, cookie)
      t.match(response.json(), {
        absoluteDeadline: new Date(start + 60 * minute).toISOString(),
        idleDeadline: new Date(start + 50 * minute).toISOString(),
        lastActivityAt: new Date(start + 20 * minute).toISOString(),
      })
      t.equal(response.cookies[0]?.maxAge, 40 * 60)
      time.now += 29 * minute
      t.ok(await whoami(app, cookieOf(response)))
      time.now += 10 * minute
      t.ok(await whoami(app, cookieOf(response)), 'past the old deadline')
      time.now = start + 60 * minute
      t.equal(await whoami(app, cookieOf(response)), null)
    },
  )

  t.test('the cookie keeps the persistence that it had at sign-in', async (t) => {
    const { app } = setUp(t)
    for (const persistent of [true, false]) {
      const { cookie } = await signIn(app, { persistent })
      const once = await confirm(app, cookie)
      const again = await confirm(app, cookieOf(once))
      for (const { cookies } of [once, again]) t.equal(cookies[0]?.maxAge, persistent ? 86_400 : undefined)
    }
  })

  t.test('authenticatedAt may be given, and is never moved back', async (t) => {
    const { app, time } = setUp(t)
    app.post('/confirm-earlier', async (_request, reply) =>
      reply.reauthenticate({ authenticatedAt: new Date(start + minute), factors: ['pwd'] }),
    )
    const { cookie } = await signIn(app)
    time.now += 20 * minute
    const headers = { cookie }
    const first = await app.inject({ method: 'POST', url: '/confirm-earlier', headers })
    const at = new Date(start + minute).toISOString()
    t.match(first.json(), { authenticatedAt: at, factors: [{ method: 'pwd', at }] })
    const now = await confirm(app, cookieOf(first), { factors: ['pwd'] })
    const again = await app.inject({
      method: 'POST',
      url: '/confirm-earlier',
      headers: { cookie: cookieOf(now) },
    })
    const later = new Date(start + 20 * minute).toISOString()
    t.match(again.json(), { authenticatedAt: later, factors: [{ method: 'pwd', at: later }] })
  })

  t.test('answers 401 without a session, with a wrong secret, and with a bearer token', async (t) => {
    const { app } = setUp(t, { credentials: [bearerCredential(), cookieCredential()] })
    const { session, cookie } = await signIn(app)
    const { token } = await app.gosesh.createSession('ada')
    for (const headers of [
      {},
      { cookie: `__Host-session=${unknownToken}` },
      { cookie: `__Host-session=${session.id}.${'x'.repeat(43)}` },
      { authorization: `Bearer ${token}` },
    ]) {
      const response = await app.inject({ method: 'POST', url: '/confirm', headers })
      t.match(
        response.json(),
        { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' },
        JSON.stringify(headers),
      )
      t.equal(response.headers['set-cookie'], undefined, 'the cookie is left alone')
    }
    t.ok(await whoami(app, cookie))
  })

  t.test('on a route without session work it verifies the cookie itself', async (t) => {
    const { app } = setUp(t)
    app.post('/plain', { config: { session: false } }, async (_request, reply) => reply.reauthenticate())
    const { cookie, session } = await signIn(app)
    const response = await app.inject({ method: 'POST', url: '/plain', headers: { cookie } })
    t.equal(response.json().id, session.id)
    t.equal(await whoami(app, cookie), null)
  })

  t.test('refuses a page of another origin, unless the caller has a state of its own', async (t) => {
    const { app } = setUp(t)
    app.post('/callback', { config: { session: false } }, async (_request, reply) =>
      reply.reauthenticate({ allowCrossOrigin: true }),
    )
    app.post('/plain', { config: { session: false } }, async (_request, reply) => reply.reauthenticate())
    const { cookie } = await signIn(app)
    const origin = { origin: 'https://evil.example' }
    t.match((await confirm(app, cookie, {}, origin)).json(), { code: 'GOSESH_ERR_CROSS_ORIGIN' })
    const plain = await app.inject({ method: 'POST', url: '/plain', headers: { cookie, ...origin } })
    t.match(plain.json(), { statusCode: 403, code: 'GOSESH_ERR_CROSS_ORIGIN' })
    t.ok(await whoami(app, cookie))
    const headers = { cookie, ...origin }
    t.equal((await app.inject({ method: 'POST', url: '/callback', headers })).statusCode, 200)
  })

  t.test('of two tabs at once one wins, the other is told 401, and the winner’s cookie works', async (t) => {
    const { app } = setUp(t)
    const { cookie } = await signIn(app)
    const responses = await Promise.all([confirm(app, cookie), confirm(app, cookie)])
    t.same(responses.map(({ statusCode }) => statusCode).toSorted(), [200, 401])
    const [winner, loser] = responses.toSorted((a, b) => a.statusCode - b.statusCode)
    t.equal(loser?.headers['set-cookie'], undefined)
    t.ok(winner && (await whoami(app, cookieOf(winner))))
  })

  t.test('a request under way with the old token is anonymous, and never clears the cookie', async (t) => {
    const { app, store } = setUp(t)
    const { cookie } = await signIn(app)
    const release = store.hold('getSession')
    const slow = app.inject({ url: '/whoami', headers: { cookie } })
    await new Promise((resolve) => setTimeout(resolve, 10))
    store.off('getSession')
    t.equal((await confirm(app, cookie)).statusCode, 200)
    release()
    const response = await slow
    t.same(response.json(), { session: null })
    t.equal(response.headers['set-cookie'], undefined)
  })

  t.test('works after signIn on the same reply, and not after signOut', async (t) => {
    const { app } = setUp(t)
    app.post('/both', async (_request, reply) => {
      await reply.signIn('ada')
      return await reply.reauthenticate({ factors: ['otp'] })
    })
    app.post('/out', async (_request, reply) => {
      await reply.signOut()
      return await reply.reauthenticate()
    })
    const { cookie } = await signIn(app)
    const both = await app.inject({ method: 'POST', url: '/both', headers: { cookie } })
    t.match(both.json(), { factors: [{ method: 'otp' }] })
    const last = both.cookies.at(-1)
    t.ok(await whoami(app, `${last?.name}=${last?.value}`))
    const out = await app.inject({
      method: 'POST',
      url: '/out',
      headers: { cookie: `${last?.name}=${last?.value}` },
    })
    t.equal(out.statusCode, 401)
  })

  t.test('wrong options reject, naming what would be right', async (t) => {
    const { app } = setUp(t)
    const { cookie } = await signIn(app)
    for (const [body, message] of [
      [{ factors: 'otp' }, /^Option factors is 'otp'; expected an array of at most 20 methods/],
      [{ factors: ['one time'] }, /^Option factors\[0\] is 'one time'; expected a method such as pwd or otp/],
      [{ factors: [1] }, /^Option factors\[0\] is 1; expected a method/],
      [
        { factor: ['otp'] },
        /^Option reauthenticate.factor is .*; expected no such option; known are factors/,
      ],
      [{ authenticatedAt: 'x' }, /^Option authenticatedAt is 'x'; expected a valid Date/],
    ] as const) {
      const response = await confirm(app, cookie, body as never)
      t.match(response.json(), { code: 'GOSESH_ERR_OPTION', message })
    }
    t.ok(await whoami(app, cookie))
  })

  t.test('is logged and published, with address and user agent, and without the token', async (t) => {
    const { app, logger } = setUp(t)
    const { cookie, session } = await signIn(app)
    await confirm(app, cookie, { factors: ['otp'] }, { 'user-agent': 'Firefox' })
    t.match(logger.lines.at(-1), {
      level: 'info',
      message: 're-authenticated',
      details: {
        event: 'gosesh:reauthenticate',
        sessionId: session.id,
        userId: 'ada',
        factors: ['otp'],
        address: '127.0.0.1',
        userAgent: 'Firefox',
      },
    })
  })
})

t.test('app.gosesh.reauthenticate gives a client that keeps its token a new one', async (t) => {
  const { app, time } = setUp(t)
  await app.ready()
  const { session, token } = await app.gosesh.createSession('ada', { factors: ['pwd'] })
  time.now += minute
  const renewed = await app.gosesh.reauthenticate(session.id, {
    factors: ['otp'],
    metadata: { place: 'home' },
  })
  t.equal(renewed.session.id, session.id)
  t.same(
    renewed.session.factors.map(({ method }) => method),
    ['pwd', 'otp'],
  )
  t.same(renewed.session.metadata, { place: 'home' })
  t.equal(await app.gosesh.verifyToken(token), null)
  t.same(await app.gosesh.verifyToken(renewed.token), renewed.session)
  await app.gosesh.deleteSession(session.id)
  for (const id of [session.id, 'nonsense']) {
    await t.rejects(app.gosesh.reauthenticate(id), { code: 'GOSESH_ERR_UNAUTHENTICATED', statusCode: 401 })
  }
})

t.test('a session of the option maxAge lives that long after its last proof', async (t) => {
  const { app, time } = setUp(t, { maxAge: hour })
  const { cookie } = await signIn(app, { idleTimeout: null })
  time.now += 50 * minute
  const renewed = cookieOf(await confirm(app, cookie))
  time.now += 50 * minute
  t.ok(await whoami(app, renewed))
  time.now += 10 * minute
  t.equal(await whoami(app, renewed), null)
})

t.test('a store that cannot update sessions rejects the call, and serves everything else', async (t) => {
  const { app, store } = setUp(t)
  Object.defineProperty(store, 'updateSession', { value: undefined })
  const { cookie } = await signIn(app)
  t.match((await confirm(app, cookie)).json(), {
    code: 'GOSESH_ERR_STORE_CAPABILITY',
    message: 'reply.reauthenticate() needs a store with the method updateSession',
  })
  t.ok(await whoami(app, cookie))
})
