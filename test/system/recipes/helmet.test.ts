import Fastify from 'fastify'
import t from 'tap'
import { securityHeaders } from '../../../examples/recipes/helmet.js'
import gosesh from '../../../lib/index.js'
import { addRoutes, signIn } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'

t.test('every answer has the headers, and what gosesh adds is there beside them', async (t) => {
  const store = new WatchedStore()
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(securityHeaders, { formTargets: ['https://login.acme.example'] })
  app.register(gosesh, { store })
  addRoutes(app)
  const { cookie } = await signIn(app)
  const login = await app.inject({ method: 'POST', url: '/login' })
  const verified = await app.inject({ url: '/me', headers: { cookie } })
  const anonymous = await app.inject('/me')
  const missing = await app.inject('/nothing-here')
  store.fail('getSession')
  const broken = await app.inject({ url: '/me', headers: { cookie } })

  const answers = { login, verified, anonymous, missing, broken }
  const statuses = Object.values(answers).map(({ statusCode }) => statusCode)
  t.same(statuses, [200, 200, 401, 404, 503])
  for (const [name, { headers }] of Object.entries(answers)) {
    t.match(
      headers,
      {
        'content-security-policy': /frame-ancestors 'none'/,
        'strict-transport-security': /^max-age=\d{8}/,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'same-origin',
      },
      name,
    )
  }
  t.match(verified.headers['content-security-policy'], /form-action 'self' https:\/\/login\.acme\.example/)
  t.match(login.cookies, [{ name: '__Host-session', httpOnly: true, secure: true, sameSite: 'Lax' }])
  t.match(verified.headers, { 'cache-control': 'no-store', vary: /Cookie/ })
})

t.test('the form of a page that hides its origin is refused, so the pages do not', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(securityHeaders)
  app.register(gosesh)
  addRoutes(app)
  const { cookie } = await signIn(app)
  const logout = async (origin: string) => {
    const headers = { cookie, origin, host: 'app.example' }
    return (await app.inject({ method: 'POST', url: '/logout', headers })).statusCode
  }
  t.equal(await logout('null'), 403, 'what a browser sends from a page with Referrer-Policy: no-referrer')
  t.equal(await logout('http://app.example'), 200)
})
