import { readFile } from 'node:fs/promises'
import formbody from '@fastify/formbody'
import Fastify, { type FastifyInstance } from 'fastify'
import t from 'tap'
import { sessionCompat } from '../../../lib/compat/index.js'
import gosesh from '../../../lib/index.js'
import { flash, slowStore } from './app.js'
import { dataOf, passwordOf, registerPassport } from './passport-app.js'

const page = await readFile(new URL('../../../docs/compat.md', import.meta.url), 'utf8')
const blocks = Array.from(page.matchAll(/^```js\n([\s\S]*?)^```$/gm), ([, code = '']) =>
  code.replace(/^import .*$/gm, ''),
)

/** Runs a block of the page with these names. */
function run(block: string | undefined, names: Record<string, unknown>): void {
  new Function(...Object.keys(names), String(block))(...Object.values(names))
}

t.test('what the page shows works as it says', async (t) => {
  t.equal(blocks.length, 3)
  const [register, passportRoutes, afterSignIn] = blocks
  const app: FastifyInstance = Fastify()
  t.teardown(() => app.close())
  app.register(formbody)
  run(register, { app, gosesh, sessionCompat, store: slowStore() })
  const passport = registerPassport(app)
  run(passportRoutes, { app, passport })
  app.post('/cart', async (request) => Object.assign(dataOf(request), { cart: ['tea'], other: 1 }))
  app.get('/data', async (request) => ({ ...dataOf(request) }))
  app.get('/flash', async (_request, reply) => reply.flash('info'))
  t.ok(flash, 'which passport registers')
  // `await` is not for a function that is not `async`.
  const welcome = new Function('reply', 'user', 'request', `return (async () => {${afterSignIn}})()`)
  app.post('/welcome', async (request, reply) => {
    await welcome(reply, { id: 'bo' }, request)
    return 'in'
  })

  const jar: Record<string, string> = {}
  const send = async (method: 'GET' | 'POST', url: string, payload = {}) => {
    const response = await app.inject({ method, url, cookies: jar, ...(method === 'POST' && { payload }) })
    for (const { name, value } of response.cookies) {
      if (value === '') delete jar[name]
      else jar[name] = value
    }
    return response
  }
  await send('POST', '/cart')
  t.equal((await send('GET', '/me')).statusCode, 401)
  t.equal((await send('POST', '/login', { ...passwordOf('ada'), password: 'wrong' })).statusCode, 401)
  t.same((await send('POST', '/login', passwordOf('ada'))).json(), { done: true })
  t.equal((await send('GET', '/me')).body, 'ada')
  t.same((await send('GET', '/data')).json(), { cart: ['tea'] })
  t.same((await send('POST', '/logout')).json(), { done: true })
  t.equal((await send('GET', '/me')).statusCode, 401)
  await send('POST', '/welcome')
  t.same((await send('GET', '/flash')).json(), ['Welcome'])
})
