import t from 'tap'
import { createSecret, createSessionId, tokenOf } from '../../../lib/core/token.js'
import { bearerCredential, type Credential, cookieCredential } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, whoami } from '../../tools/app.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

const token = tokenOf(createSessionId(), createSecret())

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
