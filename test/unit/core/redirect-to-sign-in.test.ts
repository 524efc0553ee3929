import Fastify from 'fastify'
import t, { type Test } from 'tap'
import gosesh, { redirectToSignIn, returnTo } from '../../../lib/index.js'
import { addRoutes, signIn } from '../../tools/app.js'

const navigation = { 'sec-fetch-mode': 'navigate', accept: 'text/html' }

function buildApp(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh)
  app.get('/inbox', { onRequest: redirectToSignIn('/sign-in') }, async () => 'mail')
  app.post('/inbox', { onRequest: redirectToSignIn('/sign-in') }, async () => 'sent')
  const named = redirectToSignIn('/sign-in?lang=en', { parameter: 'return_to' })
  app.get('/other', { onRequest: named }, async () => 'other')
  addRoutes(app)
  return app
}

t.test('a page navigation without a session goes to the sign-in page, and comes back', async (t) => {
  const app = buildApp(t)
  for (const method of ['GET', 'HEAD'] as const) {
    for (const headers of [navigation, { accept: 'text/html,*/*' }]) {
      const sent = await app.inject({ method, url: '/inbox?page=2', headers })
      t.equal(sent.statusCode, 303)
      t.equal(sent.headers.location, '/sign-in?next=%2Finbox%3Fpage%3D2')
      t.equal(sent.headers['cache-control'], 'no-store')
      const { searchParams } = new URL(String(sent.headers.location), 'https://app.example')
      t.equal(returnTo(searchParams.get('next')), '/inbox?page=2')
    }
  }
  const other = await app.inject({ url: '/other', headers: navigation })
  t.equal(other.headers.location, '/sign-in?lang=en&return_to=%2Fother')
})

t.test('a path that a browser takes for a host comes back to the fallback', async (t) => {
  const app = Fastify({ rewriteUrl: () => '/inbox' })
  t.teardown(() => app.close())
  app.register(gosesh)
  app.get('/inbox', { onRequest: redirectToSignIn('/sign-in') }, async () => 'mail')
  const { headers } = await app.inject({ url: '/.//evil.example', headers: navigation })
  const { searchParams } = new URL(String(headers.location), 'https://app.example')
  t.equal(returnTo(searchParams.get('next')), '/')
})

t.test('anything else without a session is answered 401, and a session passes', async (t) => {
  const app = buildApp(t)
  for (const headers of [
    {},
    { accept: 'application/json' },
    { 'sec-fetch-mode': 'cors', accept: 'text/html' },
  ]) {
    const refused = await app.inject({ url: '/inbox', headers })
    t.match(refused.json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
  }
  t.equal((await app.inject({ method: 'POST', url: '/inbox', headers: navigation })).statusCode, 401)
  const { cookie } = await signIn(app)
  for (const method of ['GET', 'POST'] as const) {
    const passed = await app.inject({ method, url: '/inbox', headers: { ...navigation, cookie } })
    t.equal(passed.statusCode, 200)
  }
})

t.test('it fails closed if gosesh is not registered in the context of the route', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(async (scope) => {
    await scope.register(gosesh)
  })
  app.get('/inbox', { onRequest: redirectToSignIn('/sign-in') }, async () => 'mail')
  app.register(async (scope) => {
    // As of another plugin, such as @fastify/session.
    scope.decorateRequest('session', { getter: () => ({}) as never })
    scope.get('/outbox', { onRequest: redirectToSignIn('/sign-in') }, async () => 'mail')
  })
  for (const url of ['/inbox', '/outbox']) {
    for (const headers of [navigation, {}]) {
      const response = await app.inject({ url, headers })
      t.match(response.json(), { statusCode: 500, code: 'GOSESH_ERR_NOT_REGISTERED' }, url)
    }
  }
})

t.test('options that are wrong are refused at the call', async (t) => {
  for (const page of [
    undefined,
    '',
    'sign-in',
    '//evil.example',
    '/\\evil.example',
    'https://app.example/',
  ]) {
    t.throws(() => redirectToSignIn(page as never), {
      code: 'GOSESH_ERR_OPTION',
      message: /redirectToSignIn/,
    })
  }
  for (const parameter of ['', 'a b', 7]) {
    const options = { parameter } as never
    t.throws(() => redirectToSignIn('/in', options), { code: 'GOSESH_ERR_OPTION', message: /parameter/ })
  }
  t.throws(() => redirectToSignIn('/in', { next: 'x' } as never), { code: 'GOSESH_ERR_OPTION' })
})
