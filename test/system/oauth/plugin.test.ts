import { createHash } from 'node:crypto'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import gosesh, { bearerCredential, type DeviceCodeId, MemoryStore } from '../../../lib/index.js'
import { type OAuthOptions, oauth, oidc } from '../../../lib/oauth/index.js'
import { signIn } from '../../tools/app.js'
import { fakeTime } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'

const acme = oidc({
  issuer: 'https://login.acme.example',
  clientId: 'app',
  idTokenExchange: true,
  fetch: async () => {
    throw new TypeError('fetch failed')
  },
})
const required = { origin: 'https://app.example', providers: { acme } }

function build(options: Partial<OAuthOptions> = {}) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh)
  app.register(oauth, { ...required, ...options })
  return app
}

t.test('needs gosesh', async (t) => {
  const app = Fastify()
  await t.rejects(async () => await app.register(oauth, required), /gosesh/)
})

t.test('needs the gosesh of its own copy of the package', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(fp(async () => {}, { name: 'gosesh' }))
  await t.rejects(async () => await app.register(oauth, {} as never), {
    code: 'GOSESH_ERR_NOT_REGISTERED',
    message: /two copies of the package/,
  })
})

t.test('works over plain http on this machine, and elsewhere with a cookie that is not Secure', async (t) => {
  for (const origin of [
    'http://localhost:3000',
    'http://app.localhost',
    'http://127.0.0.1:3000',
    'http://[::1]:3000',
  ]) {
    await build({ origin }).ready()
  }
  const cookie = { name: 'oauth', secure: false }
  await build({ origin: 'http://intranet', cookie, allowedReturnOrigins: ['http://wiki'] }).ready()
  t.pass()
})

t.test('app.redirectToSignIn', async (t) => {
  const app = build()
  app.register(async (inner) => {
    inner.addHook('onRequest', app.redirectToSignIn())
    inner.get('/inbox', async () => 'mail')
    inner.post('/inbox', async () => 'sent')
  })
  app.register(async (inner) => {
    inner.addHook('onRequest', app.redirectToSignIn('/welcome?lang=en'))
    inner.get('/other', async () => 'other')
  })
  app.post('/login', async (_request, reply) => await reply.signIn('ada'))
  const next = `/auth/acme?${new URLSearchParams({ next: '/inbox?page=2' })}`
  for (const headers of [{ 'sec-fetch-mode': 'navigate' }, { accept: 'text/html,*/*' }]) {
    const sent = await app.inject({ url: '/inbox?page=2', headers })
    t.equal(sent.statusCode, 303)
    t.equal(sent.headers.location, next)
    t.equal(sent.headers['cache-control'], 'no-store')
  }
  for (const headers of [
    {},
    { accept: 'application/json' },
    { 'sec-fetch-mode': 'cors', accept: 'text/html' },
  ]) {
    const refused = await app.inject({ url: '/inbox', headers })
    t.match(refused.json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
  }
  const posted = await app.inject({ method: 'POST', url: '/inbox', headers: { accept: 'text/html' } })
  t.equal(posted.statusCode, 401)
  const other = await app.inject({ url: '/other', headers: { accept: 'text/html' } })
  t.equal(other.headers.location, '/welcome?lang=en&next=%2Fother')
  const { cookie } = await signIn(app)
  t.equal((await app.inject({ url: '/inbox', headers: { cookie } })).body, 'mail')

  const several = build({ providers: { a: acme, b: acme } })
  await several.ready()
  t.throws(() => several.redirectToSignIn(), { code: 'GOSESH_ERR_OPTION', message: /redirectToSignIn/ })
  t.throws(() => several.redirectToSignIn('//evil.example'), { code: 'GOSESH_ERR_OPTION' })
  t.equal(typeof several.redirectToSignIn('/in'), 'function')
})

t.test('an application without cookies takes tokens all the same', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh, { credentials: [bearerCredential()] })
  await app.register(oauth, { ...required, prefix: '/sso/v1' })
  const answer = await app.inject({ method: 'POST', url: '/sso/v1/acme/token', body: { id_token: 'x' } })
  t.match(answer.json(), { statusCode: 503, code: 'GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE' })
  const none = await app.inject({ method: 'POST', url: '/sso/v1/acme/token' })
  t.match(none.json(), { statusCode: 400, code: 'GOSESH_ERR_OAUTH_REQUEST' })
  t.equal((await app.inject({ method: 'POST', url: '/sso/v1/acme/backchannel-logout' })).statusCode, 404)
  t.equal((await app.inject({ method: 'POST', url: '/sso/v1/device/code' })).statusCode, 404)
})

t.test('in a context with a prefix, the routes and what leads to them agree', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh, { credentials: [bearerCredential()] })
  await app.register(
    async (api) => {
      await api.register(oauth, { ...required, deviceAuthorization: true })
      t.equal(typeof api.redirectToSignIn, 'function')
    },
    { prefix: '/api' },
  )
  const { verification_uri } = (await app.inject({ method: 'POST', url: '/api/auth/device/code' })).json()
  t.equal(verification_uri, 'https://app.example/api/auth/device')
  const sent = await app.inject('/api/auth/device')
  t.equal(sent.headers.location, '/api/auth/acme?next=%2Fapi%2Fauth%2Fdevice')
  t.equal((await app.inject('/api/auth/acme')).statusCode, 503)
})

t.test('leaves the content types of the application alone', async (t) => {
  const app = build()
  app.post('/form', async (request) => request.body)
  const form = {
    method: 'POST',
    body: 'a=1',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  } as const
  t.equal((await app.inject({ ...form, url: '/form' })).statusCode, 415)
  t.equal((await app.inject({ ...form, url: '/auth/sign-out' })).statusCode, 303)
})

t.test('expired device codes are swept, and a failure is logged', async (t) => {
  const time = fakeTime(t)
  const logger = recordingLogger()
  const store = new MemoryStore()
  const app = Fastify({
    loggerInstance: Object.assign(logger, { child: () => logger, fatal() {}, trace() {} }) as never,
  })
  t.teardown(() => app.close())
  app.register(gosesh, { store, credentials: [bearerCredential()] })
  app.register(oauth, { ...required, deviceAuthorization: true })
  const started = await app.inject({ method: 'POST', url: '/auth/device/code' })
  const { device_code } = started.json()
  const id = createHash('sha256').update(device_code).digest('base64url') as DeviceCodeId
  t.ok(await store.deviceCodes.getDeviceCode(id))
  await time.advance(1_800_000, 60_000)
  t.equal(await store.deviceCodes.getDeviceCode(id), null)
  store.deviceCodes.deleteExpiredDeviceCodes = async () => {
    throw new Error('the store is down')
  }
  await time.advance(600_000, 60_000)
  t.ok(logger.withMessage('expired device codes stay').length > 0)
})
