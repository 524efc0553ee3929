import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createSecret, createSessionId, tokenOf } from '../../../lib/core/token.js'
import { cookieValue } from '../../../lib/credentials/cookie.js'
import { bearerCredential, type Credential, cookieCredential } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

const token = tokenOf(createSessionId(), createSecret())

t.test('cookieValue', async (t) => {
  for (const [header, expected] of [
    ['__Host-s=a', 'a'],
    ['x=1; __Host-s=a; y=2', 'a'],
    ['x=1;__Host-s=a', 'a'],
    [' \t__Host-s \t=\t a \t;', 'a'],
    ['__Host-s=a; __Host-s=b', 'a'],
    ['__Host-s=a=b', 'a=b'],
    ['__Host-s=', ''],
    ['\xa0__Host-s=b; __Host-s=a', 'a'],
    ['\ufeff__Host-s=b', null],
    ['\v__Host-s=b', null],
    ['__Host-s\xa0=b', null],
    ['__host-s=b', null],
    ['__Host%2ds=b', null],
    ['=__Host-s=b', null],
    ['__Host-s', null],
    ['', null],
    ['=', null],
    [';;;', null],
  ] as const) {
    t.equal(cookieValue(header, '__Host-s'), expected, JSON.stringify(header))
  }
})

t.test('what another parser found is not trusted, such as one that trims a no-break space', async (t) => {
  const app = buildApp(t)
  app.addHook('onRequest', async (request) => {
    request.cookies['__Host-session'] = attacker
  })
  await app.ready()
  const { token: attacker } = await app.gosesh.createSession('mallory')
  const { cookie } = await signIn(app)
  t.match(await whoami(app, cookie), { userId: 'ada' })
  t.equal(await whoami(app, `\xa0__Host-session=${attacker}`), null)
})

t.test('persistent: false is a cookie that ends with the browser', async (t) => {
  const app = buildApp(t)
  app.post('/forget', async (_request, reply) => reply.signIn('ada', { persistent: false }))
  const { headers } = await app.inject({ method: 'POST', url: '/forget' })
  t.match(
    headers['set-cookie'],
    /^__Host-session=[\w-]{22}\.[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  )
  const login = (persistent: unknown) =>
    app.inject({ method: 'POST', url: '/login', body: { persistent } as object })
  t.match((await login(true)).headers['set-cookie'], /Max-Age=86400;/)
  t.match((await login('no')).json(), { code: 'GOSESH_ERR_OPTION' })
})

t.test(
  'a malformed credential is anonymous, without a store call and without a log line above debug',
  async (t) => {
    const store = new WatchedStore()
    const logger = recordingLogger()
    const app = buildApp(t, { store, logger, credentials: [bearerCredential(), cookieCredential()] })
    const name = '__Host-session'
    const headers: Record<string, string>[] = [
      {},
      { cookie: '' },
      { cookie: '=' },
      { cookie: ';;;' },
      { cookie: name },
      { cookie: `${name}=` },
      { cookie: `${name}=${token.slice(1)}` },
      { cookie: `${name}=${token}x` },
      { cookie: `${name}=${token.slice(1)}.` },
      { cookie: `${name}=${token.slice(1)}=` },
      { cookie: `${name}=${'x'.repeat(8_192)}` },
      { cookie: `${name}=${token.slice(1)}é` },
      { cookie: `${name}=%${token.slice(1)}` },
      { cookie: `${name.toLowerCase()}=${token}` },
      { cookie: `__proto__=${token}` },
      { authorization: '' },
      { authorization: 'Bearer' },
      { authorization: 'Bearer ' },
      { authorization: token },
      { authorization: `Basic ${token}` },
      { authorization: `Bearer${token}` },
      { authorization: `Bearer ${token} x` },
      { authorization: `Bearer ${token}, Bearer ${token}` },
      { authorization: `Bearer ${token.slice(1)}` },
      { authorization: `Bearer ${'x'.repeat(8_192)}` },
      { authorization: `Bearer ${token.slice(1)}é` },
    ]
    for (const header of headers) {
      const response = await app.inject({ url: '/whoami', headers: header })
      t.match(response.json(), { session: null }, JSON.stringify(header).slice(0, 80))
      t.equal((await app.inject({ url: '/me', headers: header })).statusCode, 401)
    }
    t.same(store.counts, {})
    t.same(logger.above('info'), [])
  },
)

t.test('a well-formed unknown token is anonymous, for one store read', async (t) => {
  const store = new WatchedStore()
  const app = buildApp(t, { store })
  t.equal(await whoami(app, `__Host-session=${token}`), null)
  t.same(store.counts, { getSession: 1 })
})

t.test('an expired session is anonymous, even where the store still returns it', async (t) => {
  let now = 1_900_000_000_000
  const store = new WatchedStore()
  const app = buildApp(t, { store, clock: { now: () => now } })
  const { cookie, session } = await signIn(app, { idleTimeout: 1_000 })
  now += 1_000
  t.ok(await store.getSession(session.id))
  t.equal(await whoami(app, cookie), null)
  t.equal((await app.inject({ url: '/me', headers: { cookie } })).statusCode, 401)
})

t.test('of two cookies of one name the first counts', async (t) => {
  const app = buildApp(t)
  const ada = await signIn(app)
  const bo = await signIn(app, { user: 'bo' })
  t.equal((await whoami(app, `${ada.cookie}; ${bo.cookie}`))?.userId, 'ada')
  t.equal(await whoami(app, `__Host-session=nonsense; ${bo.cookie}`), null)
})

t.test('the cookie', async (t) => {
  t.test(
    'is HttpOnly, Secure, SameSite=Lax, on / and bound to the host, up to the absolute deadline',
    async (t) => {
      const app = buildApp(t)
      const response = await app.inject({ method: 'POST', url: '/login', body: {} })
      t.match(
        response.headers['set-cookie'],
        /^__Host-session=[\w-]{22}\.[\w-]{43}; Max-Age=86400; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      )
    },
  )

  t.test('has the attributes that were asked for, also when it is cleared', async (t) => {
    const credential = cookieCredential({
      name: 'sid',
      domain: 'app.example',
      path: '/app',
      sameSite: 'none',
      partitioned: true,
      absoluteTimeout: 90_500,
    })
    const app = buildApp(t, { credentials: [credential] })
    const login = await app.inject({ method: 'POST', url: '/login', body: {} })
    const attributes = 'Domain=app.example; Path=/app; HttpOnly; Secure; Partitioned; SameSite=None'
    t.match(
      login.headers['set-cookie'],
      new RegExp(`^sid=[\\w-]{22}\\.[\\w-]{43}; Max-Age=91; ${attributes}$`),
    )
    const logout = await app.inject({ method: 'POST', url: '/logout' })
    t.equal(
      logout.headers['set-cookie'],
      `sid=; Max-Age=0; ${attributes.replace('HttpOnly', 'Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly')}`,
    )
  })

  t.test('lives as long as the session that was asked for, and no longer than 400 days', async (t) => {
    const app = buildApp(t)
    const day = 86_400_000
    const remembered = await app.inject({
      method: 'POST',
      url: '/login',
      body: { absoluteTimeout: 90 * day, idleTimeout: 30 * day },
    })
    t.match(remembered.cookies, [{ maxAge: 90 * 86_400 }])
    const tooLong = await app.inject({ method: 'POST', url: '/login', body: { absoluteTimeout: 401 * day } })
    t.match(tooLong.json(), {
      code: 'GOSESH_ERR_OPTION',
      message: /^Option absoluteTimeout is 34646400000; .*carry/,
    })
    t.equal(tooLong.headers['set-cookie'], undefined)
  })
})

t.test(
  'a Secure cookie over plain http to another host is warned about once, saying what to set',
  async (t) => {
    for (const [host, server, warnings] of [
      ['app.example', {}, 1],
      ['10.0.0.1:3000', {}, 1],
      ['notlocalhost', {}, 1],
      ['localhost:3000', {}, 0],
      ['shop.localhost', {}, 0],
      ['127.0.0.1:3000', {}, 0],
      ['[::1]:3000', {}, 0],
      ['app.example', { trustProxy: true }, 0],
    ] as const) {
      const logger = recordingLogger()
      const app = buildApp(t, { logger }, server)
      for (let i = 0; i < 2; i++) {
        await app.inject({ method: 'POST', url: '/login', body: {}, headers: { host } })
      }
      t.equal(logger.above('info').length, warnings, `${host} ${JSON.stringify(server)}`)
      if (warnings > 0) t.match(logger.above('info')[0]?.message, /set Fastify's trustProxy/)
    }
    const logger = recordingLogger()
    const app = buildApp(t, { logger, credentials: [cookieCredential({ name: 'sid', secure: false })] })
    await app.inject({ method: 'POST', url: '/login', body: {}, headers: { host: 'app.example' } })
    t.same(logger.above('info'), [], 'not of a cookie that is not Secure')
  },
)

t.test('the bearer token', async (t) => {
  t.test('is read by RFC 6750, the scheme in any case', async (t) => {
    const app = buildApp(t, { credentials: [bearerCredential()] })
    await app.ready()
    const created = await app.gosesh.createSession('ada')
    for (const authorization of [
      `Bearer ${created.token}`,
      `bearer ${created.token}`,
      `BEARER ${created.token}`,
      `Bearer   ${created.token}`,
    ]) {
      t.equal((await app.inject({ url: '/me', headers: { authorization } })).json().userId, 'ada')
    }
  })

  t.test('counts only in one header', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, credentials: [bearerCredential()] })
    await app.listen({ port: 0 })
    const created = await app.gosesh.createSession('ada')
    store.reset()
    const statusOf = (headers: string[]): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const { port } = app.server.address() as AddressInfo
        const request = httpRequest({ port, path: '/me', headers, agent: false }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        request.on('error', reject)
        request.end()
      })
    const header = ['host', 'localhost', 'authorization', `Bearer ${created.token}`]
    t.equal(await statusOf(header), 200)
    store.reset()
    t.equal(await statusOf([...header, 'Authorization', `Bearer ${created.token}`]), 401)
    t.same(store.counts, {})
  })

  t.test('has no idle limit and lives 30 days', async (t) => {
    const app = buildApp(t, { credentials: [cookieCredential(), bearerCredential()] })
    await app.ready()
    const { session } = await app.gosesh.createSession('ada')
    t.match(session, { idleTimeout: null, idleDeadline: null })
    t.equal(session.absoluteDeadline.getTime() - session.createdAt.getTime(), 30 * 86_400_000)
  })

  t.test('cannot be written: signIn says what to use', async (t) => {
    const app = buildApp(t, { credentials: [bearerCredential()] })
    const response = await app.inject({ method: 'POST', url: '/login', body: {} })
    t.match(response.json(), {
      statusCode: 500,
      code: 'GOSESH_ERR_CREDENTIAL_NOT_WRITABLE',
      message: /app\.gosesh\.createSession/,
    })
  })
})

t.test('several credentials', async (t) => {
  t.test('are tried in order; the first well-formed token wins', async (t) => {
    const app = buildApp(t, { credentials: [bearerCredential(), cookieCredential()] })
    const { cookie } = await signIn(app)
    const { token: other } = await app.gosesh.createSession('bo')
    const both = await app.inject({ url: '/me', headers: { cookie, authorization: `Bearer ${other}` } })
    t.equal(both.json().userId, 'bo')
    const malformed = await app.inject({ url: '/me', headers: { cookie, authorization: 'Bearer nonsense' } })
    t.equal(malformed.json().userId, 'ada')
    const unknown = await app.inject({ url: '/me', headers: { cookie, authorization: `Bearer ${token}` } })
    t.equal(unknown.statusCode, 401, 'a stale token shadows what comes after it')
  })

  t.test('a 401 names the scheme where one has it, and says where the token is not valid', async (t) => {
    const bearer = buildApp(t, { credentials: [cookieCredential(), bearerCredential()] })
    t.equal((await bearer.inject('/me')).headers['www-authenticate'], 'Bearer')
    const invalid = await bearer.inject({ url: '/me', headers: { authorization: `Bearer ${token}` } })
    t.equal(invalid.headers['www-authenticate'], 'Bearer error="invalid_token"')
    t.equal((await buildApp(t).inject('/me')).headers['www-authenticate'], undefined)
    const own = buildApp(t, { credentials: [bearerCredential()] })
    own.setErrorHandler(async (_error, _request, reply) => reply.code(401).send({ own: true }))
    t.match(await own.inject('/me'), { body: '{"own":true}', headers: { 'www-authenticate': 'Bearer' } })
  })

  t.test('one of the application’s own is used like ours', async (t) => {
    const header: Credential = {
      name: 'custom',
      header: 'X-Session',
      challenge: null,
      idleTimeout: null,
      absoluteTimeout: 60_000,
      read: (request) => (request.headers['x-session'] as string | undefined) ?? null,
      write: (reply, value) => void reply.header('x-session', value),
    }
    const app = buildApp(t, { credentials: [header] })
    const login = await app.inject({ method: 'POST', url: '/login', body: {} })
    const value = login.headers['x-session'] as string
    const me = await app.inject({ url: '/me', headers: { 'x-session': value } })
    t.match(me.json(), { userId: 'ada', idleTimeout: null })
    t.equal(me.headers.vary, 'X-Session')
    t.equal((await app.inject({ url: '/me', headers: { 'x-session': 'nonsense' } })).statusCode, 401)
    const logout = await app.inject({ method: 'POST', url: '/logout', headers: { 'x-session': value } })
    t.equal(logout.statusCode, 200, 'although it cannot be cleared')
    t.equal((await app.inject({ url: '/me', headers: { 'x-session': value } })).statusCode, 401)
  })
})

t.test('cookieOf finds exactly one cookie', async (t) => {
  const app = buildApp(t)
  t.throws(() => cookieOf({ cookies: [] } as never))
  t.match(cookieOf(await app.inject({ method: 'POST', url: '/login', body: {} })), /^__Host-session=/)
})
