import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { csrf } from '../../../examples/recipes/csrf-protection.js'
import { sessionCompat } from '../../../lib/compat/index.js'
import gosesh, { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { addRoutes } from '../../tools/app.js'

/** An application, and the cookies of a browser that uses it. */
async function browserOf(t: Test, decorateAs = 'session') {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { decorateAs, visitors: {}, credentials: [bearerCredential(), cookieCredential()] })
  app.register(csrf, { secret: 'known to every node of the application' })
  addRoutes(app)
  const jar: Record<string, string> = {}
  const send = async (method: 'GET' | 'POST', url: string, token?: string, body?: object) => {
    const headers = token === undefined ? {} : { 'csrf-token': token }
    const response = await app.inject({ method, url, headers, cookies: jar, ...(body && { body }) })
    for (const { name, value } of response.cookies) jar[name] = value
    return response
  }
  const newToken = async (): Promise<string> => (await send('GET', '/csrf-token')).json().token
  return { app, jar, send, newToken }
}

t.test('a POST without a token is refused, and one with it goes through', async (t) => {
  const { jar, send, newToken } = await browserOf(t)
  t.match((await send('POST', '/login')).json(), { statusCode: 403, code: 'FST_CSRF_MISSING_SECRET' })
  const token = await newToken()
  t.match((await send('POST', '/login')).json(), { statusCode: 403, code: 'FST_CSRF_INVALID_TOKEN' })
  t.equal((await send('POST', '/login', token)).statusCode, 200)
  t.same(Object.keys(jar).sort(), ['__Host-csrf', '__Host-session'])
  t.equal((await send('POST', '/logout')).statusCode, 403)
  t.equal((await send('GET', '/me')).statusCode, 200, 'and the session is still there')
  t.equal((await send('POST', '/logout', '', { _csrf: await newToken() })).statusCode, 200, 'in a form too')
  t.equal((await send('GET', '/me')).statusCode, 401)
})

for (const decorateAs of ['session', 'signInSession']) {
  t.test(`a token is good for one session alone, which is request.${decorateAs}`, async (t) => {
    const { app, jar, send, newToken } = await browserOf(t, decorateAs)
    if (decorateAs !== 'session') app.register(sessionCompat)
    const anonymous = await newToken()
    await send('POST', '/login', anonymous, { user: 'ada' })
    t.equal((await send('POST', '/logout', anonymous)).statusCode, 403, 'not the one from before sign-in')
    const tokenOfAda = await newToken()
    const { '__Host-session': _, ...signedOut } = jar
    for (const name of Object.keys(jar)) delete jar[name]
    Object.assign(jar, signedOut)
    await send('POST', '/login', anonymous, { user: 'eve' })
    t.equal((await send('POST', '/logout', tokenOfAda)).statusCode, 403, "not another session's")
    t.equal((await send('POST', '/logout', await newToken())).statusCode, 200)
  })
}

t.test(
  'a bearer token needs no other, and what is sent by a browser itself is no bearer token',
  async (t) => {
    const { app } = await browserOf(t)
    await app.ready()
    const { token } = await app.gosesh.createSession('ada')
    const post = async (authorization: string) =>
      (await app.inject({ method: 'POST', url: '/logout', headers: { authorization } })).statusCode
    t.equal(await post('Basic YWRhOnB3'), 403)
    t.equal(await post(`Bearer ${token}`), 200)
    t.equal(await app.gosesh.verifyToken(token), null)
  },
)
