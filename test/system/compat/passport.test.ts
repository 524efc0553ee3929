import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import { type Client, listen } from './app.js'
import { dataOf, logIn, registerPassport, type User, users } from './passport-app.js'

function routes(app: FastifyInstance): void {
  const passport = registerPassport(app, { clearSessionIgnoreFields: ['returnTo'] })
  const local = (options: object = {}) => ({
    preValidation: passport.authenticate('local', { authInfo: false, ...options }),
  })
  app.post('/login', local(), async (request) => request.user)
  app.post(
    '/login-redirect',
    local({ successRedirect: '/', failureRedirect: '/login' }),
    async () => 'unreached',
  )
  app.post('/login-message', local({ successMessage: true, failureMessage: true }), async () => 'in')
  app.post(
    '/login-flash',
    local({ successFlash: true, failureFlash: true, failureRedirect: '/login' }),
    async () => 'in',
  )
  app.post('/login-refused-flash', local({ failureFlash: 'Wrong, again' }), async () => 'for users')
  app.post('/login-return', local({ successReturnToOrRedirect: '/' }), async () => 'unreached')
  app.post('/login-keep', local({ keepSessionInfo: true }), async () => 'in')
  app.post('/login-stateless', local({ session: false }), async (request, reply) => {
    await reply.signIn((request.user as User).id, { factors: ['pwd'] })
    return 'signed in'
  })
  app.post('/as-handler', passport.authenticate('local', { successRedirect: '/in', failureRedirect: '/out' }))
  app.post(
    '/callback',
    {
      preValidation: passport.authenticate(
        'local',
        async (request: FastifyRequest, _reply: unknown, _error: unknown, user: unknown) => {
          dataOf(request).seen = user !== false
        },
      ),
    },
    async (request) => ({ isAuthenticated: request.isAuthenticated() }),
  )
  app.post('/authorize', { preValidation: passport.authorize('local') }, async (request) => ({
    account: request.account,
    user: request.user ?? null,
  }))
  app.post('/logout', async (request) => {
    await request.logOut()
    return 'out'
  })
  app.get('/', async (request) => ({
    user: request.user ?? null,
    isAuthenticated: request.isAuthenticated(),
    isUnauthenticated: request.isUnauthenticated(),
  }))
  app.get('/data', async (request) => ({ ...dataOf(request) }))
  app.post('/set', async (request) => Object.assign(dataOf(request), request.body))
  app.get('/flash', async (_request, reply) => reply.flash())
}

const dataFor = async (client: Client) => JSON.parse((await client.get('/data')).body)
const userOf = async (client: Client) => JSON.parse((await client.get('/')).body).user

t.test('logging in, staying in and logging out', async (t) => {
  const client = (await listen(t, routes)).open()
  t.equal((await client.post('/login', { username: 'ada', password: 'guessed' })).status, 401)
  t.same(JSON.parse((await client.get('/')).body), {
    user: null,
    isAuthenticated: false,
    isUnauthenticated: true,
  })
  t.equal(client.cookies.size, 0, 'a refusal that has nothing to say stores nothing')
  t.same(JSON.parse((await logIn(client, 'ada')).body), users.get('ada'))
  t.same(JSON.parse((await client.get('/')).body), {
    user: users.get('ada'),
    isAuthenticated: true,
    isUnauthenticated: false,
  })
  t.equal((await client.post('/logout')).body, 'out')
  t.equal(await userOf(client), null)
  t.equal(client.cookies.size, 0, 'the visitor has nothing left')
})

t.test('redirects are sent once the session is saved, and the handler does not run on', async (t) => {
  const client = (await listen(t, routes)).open()
  t.match(await client.post('/login-redirect', { username: 'ada' }), { status: 302, location: '/login' })
  const response = await logIn(client, 'ada', '/login-redirect')
  t.match(response, { status: 302, location: '/', body: '' })
  t.same(await userOf(client), users.get('ada'))
  const other = (await listen(t, routes)).open()
  t.match(await logIn(other, 'ada', '/as-handler'), { status: 302, location: '/in' })
  t.match(await other.post('/as-handler', {}), { status: 302, location: '/out' })
  t.same(await userOf(other), users.get('ada'))
})

t.test('messages and flashes, of a success and of a failure', async (t) => {
  const client = (await listen(t, routes)).open()
  const wrong = { username: 'ada', password: 'guessed' }
  t.equal((await client.post('/login-message', wrong)).status, 401)
  t.equal((await client.post('/login-message', wrong)).status, 401)
  t.same(await dataFor(client), { messages: ['Wrong password', 'Wrong password'] })
  t.match(await client.post('/login-flash', wrong), { status: 302, location: '/login' })
  t.same(JSON.parse((await client.get('/flash')).body), { error: ['Wrong password'] })
  const refused = await client.post('/login-refused-flash', wrong)
  t.match(refused, { status: 401, body: 'Unauthorized' }, 'a refusal that is saved is still the answer')
  t.same(JSON.parse((await client.get('/flash')).body), { error: ['Wrong, again'] })
  const fresh = (await listen(t, routes)).open()
  t.equal((await logIn(fresh, 'ada', '/login-message')).body, 'in')
  t.match(await dataFor(fresh), { passport: 'ada' })
  t.equal((await logIn(fresh, 'bo', '/login-flash')).body, 'in')
})

t.test('a login keeps no other data, unless it is told to', async (t) => {
  const client = (await listen(t, routes)).open()
  await client.post('/set', { cart: 'of the visitor', session: 'kept by passport' })
  const before = client.cookies.get('__Host-visitor')
  await logIn(client, 'ada')
  t.not(client.cookies.get('__Host-visitor'), before, 'session fixation')
  t.same(await dataFor(client), { passport: 'ada', session: 'kept by passport' })
  client.cookies.set('__Host-visitor', String(before))
  t.same(await dataFor(client), {}, 'the planted cookie leads nowhere')
  const keeping = (await listen(t, routes)).open()
  await keeping.post('/set', { cart: 'kept' })
  await logIn(keeping, 'ada', '/login-keep')
  t.same(await dataFor(keeping), { passport: 'ada', cart: 'kept' })
})

t.test('clearSessionOnLogin: false keeps the data at login and logout', async (t) => {
  const { open } = await listen(t, (app) => {
    const passport = registerPassport(app, { clearSessionOnLogin: false })
    app.post('/login', { preValidation: passport.authenticate('local') }, async () => 'in')
    app.post('/logout', async (request) => {
      await request.logOut()
      return 'out'
    })
    app.post('/set', async (request) => Object.assign(dataOf(request), request.body))
    app.get('/data', async (request) => ({ ...dataOf(request) }))
  })
  const client = open()
  await client.post('/set', { cart: 'mine' })
  const before = client.cookies.get('__Host-visitor')
  await logIn(client, 'ada')
  t.not(client.cookies.get('__Host-visitor'), before)
  t.same(await dataFor(client), { passport: 'ada', cart: 'mine' })
  await client.post('/logout')
  t.same(await dataFor(client), { cart: 'mine' })
})

t.test('returnTo, callbacks and authorize', async (t) => {
  const client = (await listen(t, routes)).open()
  await client.post('/set', { returnTo: '/inbox' })
  t.match(await logIn(client, 'ada', '/login-return'), { location: '/inbox' })
  t.match(await logIn(client, 'ada', '/login-return'), { location: '/' }, 'once')
  t.same(JSON.parse((await logIn(client, 'bo', '/callback')).body), { isAuthenticated: true })
  t.match(await dataFor(client), { passport: 'ada', seen: true })
  t.same(JSON.parse((await logIn(client, 'cy', '/authorize')).body), {
    account: users.get('cy'),
    user: users.get('ada'),
  })
})

t.test('users stay apart, also all at once; who is gone is logged out', async (t) => {
  const { open } = await listen(t, routes)
  const clients = [...users.keys()].map((id) => ({ id, client: open() }))
  await Promise.all(clients.map(({ id, client }) => logIn(client, id)))
  await Promise.all(clients.map(async ({ id, client }) => t.same(await userOf(client), users.get(id))))
  const [ada, bo] = clients as [(typeof clients)[0], (typeof clients)[0]]
  await bo.client.post('/logout')
  t.equal(await userOf(bo.client), null)
  t.ok(await userOf(ada.client))
  const gone = users.get('ada') as User
  users.delete('ada')
  t.equal(await userOf(ada.client), null)
  users.set('ada', gone)
  t.equal(await userOf(ada.client), null, 'and stays so')
})

t.test('the better way: no session of passport, and a sign-in of gosesh', async (t) => {
  const { app, open } = await listen(t, routes)
  const client = open()
  await client.post('/set', { cart: 'of the visitor' })
  t.equal((await logIn(client, 'ada', '/login-stateless')).body, 'signed in')
  const [session] = await app.gosesh.listUserSessions('ada')
  t.match(session, { userId: 'ada', factors: [{ method: 'pwd' }] })
  t.same(await dataFor(client), {})
  await client.post('/set', { theme: 'dark' })
  t.same(await app.gosesh.sessionData(String(session?.id)).all(), { theme: 'dark' })
  t.equal((await client.post('/logout')).body, 'out')
  t.ok(await app.gosesh.getSession(String(session?.id)), 'passport’s logOut is no sign-out')
  t.same(await dataFor(client), {})
})
