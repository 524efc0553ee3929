import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { sessionsWithApiDocument } from '../../../examples/recipes/swagger.js'
import { cookieCredential, type GoseshOptions } from '../../../lib/index.js'
import { addRoutes, cookieOf } from '../../tools/app.js'

type Scheme = { type: 'http'; scheme: string } | { type: 'apiKey'; in: 'cookie' | 'header'; name: string }

interface Operation {
  readonly security?: readonly Record<string, readonly string[]>[]
}

interface ApiDocument {
  readonly openapi: string
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly securitySchemes: Record<string, Scheme> }
}

/** The headers that “Authorize” adds for a scheme, by what the document says and nothing else. */
function authorize(scheme: Scheme, value: string): Record<string, string> {
  if (scheme.type === 'http') return { authorization: `${scheme.scheme} ${value}` }
  return scheme.in === 'cookie' ? { cookie: `${scheme.name}=${value}` } : { [scheme.name]: value }
}

async function documentedApp(t: Test, options: GoseshOptions = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(sessionsWithApiDocument, options)
  app.register(async (inner) => addRoutes(inner))
  app.register(async (inner) => {
    inner.post('/tokens', async () => ({ token: (await inner.gosesh.createSession('ada')).token }))
  })
  const document: ApiDocument = (await app.inject('/openapi.json')).json()
  return { app, document, schemes: document.components.securitySchemes }
}

t.test('a client that reads the document can be authorized by a token and by a cookie', async (t) => {
  const { app, document, schemes } = await documentedApp(t)
  const { token } = (await app.inject({ method: 'POST', url: '/tokens' })).json()
  const cookie = cookieOf(await app.inject({ method: 'POST', url: '/login', body: { user: 'ada' } }))
  const values: Record<string, string> = { bearer: token, cookie: cookie.slice(cookie.indexOf('=') + 1) }

  t.equal(document.openapi, '3.1.0')
  t.same(Object.keys(schemes), ['bearer', 'cookie'])
  const alternatives = document.paths['/me']?.get?.security ?? []
  t.same(alternatives, [{ bearer: [] }, { cookie: [] }])
  for (const alternative of alternatives) {
    for (const name of Object.keys(alternative)) {
      const headers = authorize(schemes[name] as Scheme, values[name] as string)
      t.match((await app.inject({ url: '/me', headers })).json(), { userId: 'ada' }, name)
    }
  }
  t.equal((await app.inject('/me')).statusCode, 401)
})

t.test('only routes that require a session say so, and the document itself is for everybody', async (t) => {
  const { document } = await documentedApp(t)
  const guarded = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.values(operations).some(({ security }) => security !== undefined) ? [path] : [],
  )
  t.same(guarded, ['/me'])
  t.ok(document.paths['/whoami'])
  t.notOk(document.paths['/openapi.json'])
})

t.test('the document names the cookie that the application uses', async (t) => {
  const { schemes } = await documentedApp(t, { credentials: [cookieCredential({ name: 'sid' })] })
  t.same(schemes, { cookie: { type: 'apiKey', in: 'cookie', name: 'sid' } })
})
