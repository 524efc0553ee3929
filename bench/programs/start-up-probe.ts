import { randomBytes } from 'node:crypto'
import Fastify, { type FastifyInstance } from 'fastify'
import { loadPackage } from '../harness/load-package.js'
import { answerCalls, argument } from '../harness/program.js'

const key = randomBytes(32)
const secret = key.toString('hex')

async function register(app: FastifyInstance, name: string, options: object): Promise<void> {
  const { default: plugin } = await loadPackage<{ default: Parameters<FastifyInstance['register']>[0] }>(name)
  await app.register(plugin, options)
}

/** Each peer as its own README registers it, loaded only here; gosesh as it is packed. */
const setUps: Record<string, (app: FastifyInstance) => Promise<unknown>> = {
  'fastify alone': async () => {},
  gosesh: (app) => register(app, new URL('../../../dist/lib/index.js', import.meta.url).href, {}),
  async '@fastify/session'(app) {
    await register(app, '@fastify/cookie', {})
    await register(app, '@fastify/session', { secret })
  },
  '@fastify/secure-session': (app) => register(app, '@fastify/secure-session', { key }),
  async '@mgcrea/fastify-session'(app) {
    await register(app, '@fastify/cookie', {})
    await register(app, '@mgcrea/fastify-session', { secret })
  },
  async 'better-auth'() {
    const { betterAuth } = await loadPackage<{ betterAuth(options: object): { $context: Promise<unknown> } }>(
      'better-auth',
    )
    await betterAuth({ secret, baseURL: 'http://127.0.0.1', logger: { disabled: true } }).$context
  },
}

const setUp = setUps[argument<string>()] as (app: FastifyInstance) => Promise<unknown>
const app = Fastify()
const started = performance.now()
await setUp(app)
await app.ready()
const ms = performance.now() - started

answerCalls({ ms: () => ms, close: () => app.close() })
