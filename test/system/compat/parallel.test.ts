import type { AddressInfo } from 'node:net'
import csrf from '@fastify/csrf-protection'
import formbody from '@fastify/formbody'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { fastifyCookie, fastifySession, secret } from '../recipes/migration-fixtures.js'
import { Client, flash, listen } from './app.js'
import { dataOf, passwordOf, registerPassport } from './passport-app.js'

/** Lets two requests go on only once both have loaded their session. */
function meeting() {
  let first: (() => void) | null = null
  return (): Promise<void> =>
    new Promise((resolve) => {
      if (first === null) first = resolve
      else {
        first()
        resolve()
        first = null
      }
    })
}

/** What each plugin writes, beside a request of the application that writes a key of its own. */
const plugins: Record<string, (app: FastifyInstance, met: () => Promise<void>) => void> = {
  '@fastify/flash': (app, met) => {
    app.register(flash)
    app.post('/plugin', async (request) => {
      await met()
      return request.flash('info', 'Saved')
    })
  },
  '@fastify/passport': (app, met) => {
    const passport = registerPassport(app, { clearSessionIgnoreFields: ['mine', 'before'] })
    const preValidation = [met, passport.authenticate('local', { failureMessage: true })]
    app.post('/plugin', { preValidation }, async () => 'in')
  },
  '@fastify/csrf-protection as of @fastify/session': (app, met) => {
    app.register(csrf, { sessionPlugin: '@fastify/session' })
    app.post('/plugin', async (_request, reply) => {
      await met()
      return reply.generateCsrf()
    })
  },
  '@fastify/csrf-protection as of @fastify/secure-session': (app, met) => {
    app.register(csrf, { sessionPlugin: '@fastify/secure-session' })
    app.post('/plugin', async (_request, reply) => {
      await met()
      return reply.generateCsrf()
    })
  },
  'the application itself': (app, met) => {
    app.post('/plugin', async (request) => {
      await met()
      dataOf(request).theirs = 1
      return 'set'
    })
  },
}

const keys: Record<string, string> = {
  '@fastify/flash': 'flash',
  '@fastify/passport': 'messages',
  'the application itself': 'theirs',
}

function routes(app: FastifyInstance, met: () => Promise<void>): void {
  app.post('/mine', async (request) => {
    await met()
    dataOf(request).mine = 1
    return 'set'
  })
  app.post('/before', async (request) => {
    dataOf(request).before = 1
    return 'set'
  })
  app.get('/data', async (request) => ({ ...dataOf(request) }))
  app.post('/sign-in', async (_request, reply) => {
    await reply.signIn('ada')
    return 'in'
  })
}

/** The keys that are there after two requests at once. */
async function race(client: Client, begin: '/before' | '/sign-in'): Promise<string[]> {
  await client.post(begin)
  const wrong = { ...passwordOf('ada'), password: 'wrong' }
  await Promise.all([client.post('/mine'), client.post('/plugin', wrong)])
  return Object.keys(JSON.parse((await client.get('/data')).body)).sort()
}

for (const [name, register] of Object.entries(plugins)) {
  t.test(`${name}: of two requests that write different keys both stay`, async (t) => {
    const met = meeting()
    const { open } = await listen(t, (app) => {
      register(app, met)
      routes(app, met)
    })
    const { [name]: theirs = '_csrf' } = keys
    t.same(await race(open(), '/before'), ['before', 'mine', theirs].sort(), 'of a visitor')
    t.same(await race(open(), '/sign-in'), ['mine', theirs].sort(), 'of a session')
  })
}

t.test('with @fastify/session one of them is lost', async (t) => {
  const met = meeting()
  const client = await listenWithSession(t, (app) => {
    plugins['the application itself']?.(app, met)
    routes(app, met)
  })
  const found = await race(client, '/before')
  t.equal(['mine', 'theirs'].filter((key) => found.includes(key)).length, 1)
})

/** The same over @fastify/session, on a store that keeps text as all but its own do. */
async function listenWithSession(t: Test, build: (app: FastifyInstance) => void): Promise<Client> {
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.register(formbody)
  app.register(fastifyCookie)
  const kept = new Map<string, string>()
  app.register(fastifySession, {
    secret,
    cookie: { secure: false },
    store: {
      set(id: string, session: object, done: () => void) {
        kept.set(id, JSON.stringify(session))
        done()
      },
      get(id: string, done: (error: null, session: object | null) => void) {
        done(null, JSON.parse(kept.get(id) ?? 'null'))
      },
      destroy(id: string, done: () => void) {
        kept.delete(id)
        done()
      },
    },
  })
  build(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return new Client(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
}
