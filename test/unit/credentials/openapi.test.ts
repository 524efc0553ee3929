import t from 'tap'
import {
  bearerCredential,
  type Credential,
  cookieCredential,
  openApiSecuritySchemes,
} from '../../../lib/index.js'

const apiKey: Credential = {
  name: 'key',
  header: 'X-Api-Key',
  challenge: null,
  idleTimeout: null,
  absoluteTimeout: 60_000,
  read: (request) => String(request.headers['x-api-key']),
}

t.test('each credential is a security scheme of OpenAPI, in the order given', async (t) => {
  const schemes = openApiSecuritySchemes([bearerCredential(), cookieCredential(), apiKey])
  t.same(schemes, {
    bearer: { type: 'http', scheme: 'bearer' },
    cookie: { type: 'apiKey', in: 'cookie', name: '__Host-session' },
    key: { type: 'apiKey', in: 'header', name: 'X-Api-Key' },
  })
  t.same(Object.keys(schemes), ['bearer', 'cookie', 'key'])
  t.same(openApiSecuritySchemes([]), {})
})

t.test('a cookie is called by its own name, and so is one that is wrapped', async (t) => {
  const cookie = cookieCredential({ name: 'sid', secure: false })
  const wrapped: Credential = { ...cookie, name: 'staff' }
  t.same(openApiSecuritySchemes([cookie, wrapped]), {
    cookie: { type: 'apiKey', in: 'cookie', name: 'sid' },
    staff: { type: 'apiKey', in: 'cookie', name: 'sid' },
  })
})

t.test('what would be lost from the document, or be wrong there, is refused', async (t) => {
  const code = 'GOSESH_ERR_OPTION'
  const two = [cookieCredential({ name: 'a' }), cookieCredential({ name: 'b' })]
  t.throws(() => openApiSecuritySchemes(two), { code, message: /'cookie'; expected .* different names/ })
  const { cookieName: _, ...silent } = cookieCredential()
  t.throws(() => openApiSecuritySchemes([silent]), { code, message: /cookieName/ })
})
