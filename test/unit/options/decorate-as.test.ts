import Fastify from 'fastify'
import t from 'tap'
import gosesh, { redirectToSignIn, requireSession, type Session } from '../../../lib/index.js'
import { signInAs } from '../../../lib/testing/index.js'
import { buildApp, cookieOf } from '../../tools/app.js'

const sessionOf = (request: unknown) => (request as { signedIn?: Session | null }).signedIn

t.test('decorateAs calls the session something else, and everything else goes on', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { decorateAs: 'signedIn', requireByDefault: true })
  app.post('/login', { config: { session: { required: false } } }, async (_request, reply) =>
    reply.signIn('ada'),
  )
  app.get('/open', { config: { session: { required: false } } }, async (request) => ({
    session: sessionOf(request) ?? null,
    usual: 'session' in request,
  }))
  app.get('/me', async (request) => request.requireSession())
  const hooks = [requireSession, redirectToSignIn('/sign-in')]
  app.get('/page', { onRequest: hooks }, async () => 'page')
  app.get(
    '/redirects',
    { config: { session: { required: false } }, onRequest: hooks.slice(1) },
    async () => 'in',
  )
  app.post('/confirm', async (_request, reply) => reply.reauthenticate({ factors: ['otp'] }))
  app.post('/data', async (request) => {
    await request.sessionData.set('a', 1)
    return await request.sessionData.all()
  })
  app.post('/logout', async (_request, reply) => {
    await reply.signOut()
    return {}
  })

  t.same((await app.inject('/open')).json(), { session: null, usual: false })
  t.equal((await app.inject('/me')).statusCode, 401)
  const navigation = { 'sec-fetch-mode': 'navigate' }
  t.equal((await app.inject({ url: '/redirects', headers: navigation })).statusCode, 303)
  const login = await app.inject({ method: 'POST', url: '/login' })
  let cookie = cookieOf(login)
  const get = async (url: string) => await app.inject({ url, headers: { cookie } })
  const post = async (url: string, headers = {}) =>
    await app.inject({ method: 'POST', url, headers: { cookie, ...headers } })
  t.match((await get('/open')).json(), { session: { id: login.json().id } })
  t.equal((await get('/me')).json().userId, 'ada')
  t.equal((await get('/page')).body, 'page')
  t.equal((await get('/redirects')).body, 'in')
  t.same((await post('/data')).json(), { a: 1 })
  t.equal((await post('/confirm', { origin: 'https://evil.example' })).statusCode, 403)
  const confirmed = await post('/confirm')
  t.match(confirmed.json(), { id: login.json().id, factors: [{ method: 'otp' }] })
  cookie = cookieOf(confirmed)
  t.equal((await post('/logout')).statusCode, 200)
  t.equal((await get('/me')).statusCode, 401)
  t.equal((await (await signInAs(app, 'bo')).inject('/me')).json().userId, 'bo')
  t.equal(app.gosesh.policy.decorateAs, 'signedIn')
})

t.test('decorateAs is a name, and one that is free', async (t) => {
  for (const [decorateAs, message] of [
    ['', /^Option decorateAs is ''; expected a name such as 'signInSession'$/],
    ['a b', /^Option decorateAs is 'a b'; expected a name/],
    ['1st', /expected a name/],
    [null, /expected a name/],
    ['taken', /^Option decorateAs is 'taken'; expected a name that is free/],
    ['sessionData', /that is free/],
    ['requireSession', /that is free/],
    ['headers', /that is free/],
    ['constructor', /that is free/],
    ['__proto__', /that is free/],
  ] as const) {
    const app = Fastify()
    t.teardown(() => app.close())
    app.decorateRequest('taken', null)
    app.register(gosesh, { decorateAs: decorateAs as never })
    await t.rejects(Promise.resolve(app.ready()), { code: 'GOSESH_ERR_OPTION', message }, String(decorateAs))
  }
  const app = buildApp(t, { decorateAs: 'session' })
  await t.resolves(Promise.resolve(app.ready()))
})
