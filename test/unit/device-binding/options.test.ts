import Fastify from 'fastify'
import t from 'tap'
import gosesh, {
  bearerCredential,
  cookieCredential,
  type GoseshOptions,
  MemoryStore,
} from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { deviceBinding, FakeDevice } from '../../tools/device-key.js'

const secret = 's'.repeat(32)

t.test('a wrong option fails start-up, and shows no secret', async (t) => {
  const cases: [options: unknown, message: RegExp][] = [
    [{ deviceBinding: true }, /^Option deviceBinding is true; expected an object/],
    [
      { deviceBinding: {} },
      /^Option deviceBinding.secret is undefined; expected random text or bytes, 32 bytes/,
    ],
    [
      { deviceBinding: { secret: 'x'.repeat(31) } },
      /^Option deviceBinding.secret is a string; expected random/,
    ],
    [
      { deviceBinding: { secret: [] } },
      /^Option deviceBinding.secret is an array; expected one secret or more/,
    ],
    [
      { deviceBinding: { secret: [secret, Buffer.alloc(31)] } },
      /^Option deviceBinding.secret\[1\] is an object; expected random/,
    ],
    [{ deviceBinding: { secret, life: 1 } }, /^Option deviceBinding.life is 1; expected no such option/],
    [
      { deviceBinding: { secret, lifetime: 299_999 } },
      /^Option deviceBinding.lifetime is 299999; expected 5 minutes \(300000\) or more/,
    ],
    [{ deviceBinding: { secret, lifetime: '10m' } }, /^Option deviceBinding.lifetime is '10m'/],
    [{ deviceBinding: { secret, path: 'key' } }, /^Option deviceBinding.path is 'key'; expected a path/],
    [
      { deviceBinding: { secret, path: '/key/' } },
      /^Option deviceBinding.path is '\/key\/'; expected letters/,
    ],
    [{ deviceBinding: { secret, path: '/a"b' } }, /^Option deviceBinding.path is '\/a"b'; expected letters/],
    [
      { deviceBinding: { secret, allowedRefreshInitiators: '*' } },
      /^Option deviceBinding.allowedRefreshInitiators is '\*'; expected a list of hosts/,
    ],
    [
      { deviceBinding: { secret, allowedRefreshInitiators: ['*', 'https://a.example'] } },
      /^Option deviceBinding.allowedRefreshInitiators\[1\] is 'https:\/\/a.example'; expected a host/,
    ],
    [
      { deviceBinding, credentials: [bearerCredential()] },
      /^Option credentials is \[ 'bearer' \]; expected a cookieCredential\(\) among them/,
    ],
    [
      { deviceBinding, credentials: [cookieCredential({ name: 'sid', secure: false })] },
      /^Option secure is false; expected true, as deviceBinding binds the cookie sid$/,
    ],
    [
      { deviceBinding, credentials: [cookieCredential({ partitioned: true })] },
      /^Option partitioned is true; expected false, as deviceBinding/,
    ],
    [
      { deviceBinding, credentials: [cookieCredential({ name: 'sid', domain: 'app.example' })] },
      /^Option domain is 'app.example'; expected none, so that/,
    ],
  ]
  for (const [options, message] of cases) {
    const app = buildApp(t, options as GoseshOptions)
    await t.rejects(Promise.resolve(app.ready()), { code: 'GOSESH_ERR_OPTION', message }, String(message))
  }
})

t.test('a store without updateSession fails start-up', async (t) => {
  class Frozen extends MemoryStore {
    override updateSession = undefined as never
  }
  const app = buildApp(t, { deviceBinding, store: new Frozen() })
  await t.rejects(async () => await app.ready(), {
    code: 'GOSESH_ERR_STORE_CAPABILITY',
    message: 'The option deviceBinding needs a store with the method updateSession',
  })
})

t.test('app.gosesh.policy shows it without the secret', async (t) => {
  const app = buildApp(t, {
    deviceBinding: { secret: [Buffer.alloc(32, 1), secret], allowedRefreshInitiators: ['*.idp.example'] },
  })
  await app.ready()
  t.same(app.gosesh.policy.deviceBinding, {
    lifetime: 600_000,
    path: '/auth/device-key',
    allowedRefreshInitiators: ['*.idp.example'],
  })
  const off = buildApp(t, { deviceBinding: false })
  await off.ready()
  t.equal(off.gosesh.policy.deviceBinding, null)
})

t.test('a context with a prefix has the endpoints below it', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(
    async (api) => {
      await api.register(gosesh, { deviceBinding })
      api.post('/login', async (_request, reply) => reply.signIn('ada'))
    },
    { prefix: '/api' },
  )
  const device = await FakeDevice.create(app)
  const { headers } = await app.inject({ method: 'POST', url: '/api/login' })
  t.match(headers['secure-session-registration'], /;path="\/api\/auth\/device-key";/)
  t.equal((await app.inject({ method: 'POST', url: '/api/auth/device-key' })).statusCode, 401)
  t.equal((await device.askRefresh('x')).statusCode, 404)
  const other = Fastify()
  t.teardown(() => other.close())
  other.register(
    async (api) => void (await api.register(gosesh, { deviceBinding: { secret, path: '/key' } })),
    { prefix: '/api' },
  )
  await t.rejects(async () => await other.ready(), {
    message:
      "Option deviceBinding.path is '/key'; expected a path that begins with the prefix of the context, /api/",
  })
})

t.test('a route’s demand', async (t) => {
  const app = buildApp(t)
  await app.after()
  const declare = () => app.get('/x', { config: { session: { deviceBound: true } } }, async () => '')
  t.throws(declare, {
    code: 'GOSESH_ERR_OPTION',
    message:
      'Option config.session.deviceBound is true; expected false, or gosesh with the option deviceBinding',
  })
  app.get('/y', { config: { session: { deviceBound: false } } }, async () => '')
  const bound = buildApp(t, { deviceBinding })
  await bound.after()
  for (const [session, message] of [
    [{ deviceBound: 'yes' }, /^Option config.session.deviceBound is 'yes'; expected true or false/],
    [{ deviceBound: true, required: false }, /^Option config.session.required is false; expected true/],
    [{ deviceBound: true, factors: [] }, /^Option config.session.factors is \[\]/],
  ] as const) {
    t.throws(() => bound.get('/x', { config: { session: session as never } }, async () => ''), { message })
  }
})
