import formbody from '@fastify/formbody'
import Fastify from 'fastify'
import OAuth2Strategy from 'passport-oauth2'
import t, { type Test } from 'tap'
import { appOrigin, callbackFor } from '../oauth/app.js'
import { Browser, locationOf } from '../oauth/browser.js'
import { clientId, clientSecret, startOidcServer } from '../oauth/oidc-server.js'
import { Authenticator, registerSessions } from './app.js'
import { dataOf } from './passport-app.js'

/** passport-oauth2 as its README has it, at a real provider, with its state in the session. */
async function scene(t: Test, options: { pkce?: boolean } = {}) {
  const origin = await appOrigin()
  const callbackURL = `${origin}/auth/acme/callback`
  const client = { client_id: clientId, client_secret: clientSecret, redirect_uris: [callbackURL] }
  const { issuer } = await startOidcServer(t, origin, {
    clients: [{ ...client, token_endpoint_auth_method: 'client_secret_post' }],
    pkce: { required: () => options.pkce === true },
  })
  const passport = new Authenticator()
  passport.registerUserSerializer(async (user: object) => user)
  passport.registerUserDeserializer(async (user: object) => user)
  const strategy = new OAuth2Strategy(
    {
      authorizationURL: `${issuer}/auth`,
      tokenURL: `${issuer}/token`,
      clientID: clientId,
      clientSecret,
      callbackURL,
      scope: 'openid',
      state: true,
      ...options,
    } as OAuth2Strategy.StrategyOptions,
    (
      _access: string,
      _refresh: string,
      { id_token }: { id_token: string },
      _profile: unknown,
      done: Done,
    ) => {
      const [, claims = ''] = id_token.split('.')
      done(null, { id: JSON.parse(Buffer.from(claims, 'base64url').toString()).sub })
    },
  )
  passport.use('acme', strategy as never)
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.register(formbody)
  registerSessions(app)
  app.register(passport.initialize())
  app.register(passport.secureSession())
  app.get('/auth/acme', { preValidation: passport.authenticate('acme') }, async () => {})
  app.get(
    '/auth/acme/callback',
    { preValidation: passport.authenticate('acme') },
    async (request) => request.user,
  )
  app.get('/me', async (request) => request.user ?? null)
  app.get('/data', async (request) => ({ ...dataOf(request) }))
  const { hostname, port } = new URL(origin)
  await app.listen({ host: hostname, port: Number(port) })
  return { origin, button: `${origin}/auth/acme` }
}

type Done = (error: unknown, user: object) => void

const json = async (response: Response) => JSON.parse(await response.text())

for (const options of [{}, { pkce: true }]) {
  t.test(`an OAuth2 strategy with state: true and ${JSON.stringify(options)}`, async (t) => {
    const { origin, button } = await scene(t, options)
    const browser = new Browser()
    const callback = await callbackFor(browser, button)
    t.match(Object.keys(await json(await browser.get(`${origin}/data`))), [/^oauth2:/])
    t.same(await json(await browser.get(callback)), { id: 'ada' })
    t.same(await json(await browser.get(`${origin}/me`)), { id: 'ada' })
    t.same(
      await json(await browser.get(`${origin}/data`)),
      { passport: { id: 'ada' } },
      'the state is used up',
    )
    t.equal((await browser.get(callback)).status, 403, 'so a callback is good once')

    const [mallory, bo] = [new Browser(), new Browser()]
    const planted = await callbackFor(mallory, button, 'mallory')
    t.equal((await bo.get(planted)).status, 403, 'and in the browser that began it')
    locationOf(await bo.get(button))
    t.equal((await bo.get(planted)).status, 403)
    t.equal(await json(await bo.get(`${origin}/me`)), null)
  })
}
