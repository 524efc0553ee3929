import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { signInWithAcme } from '../../../examples/recipes/oauth2.js'
import gosesh from '../../../lib/index.js'
import { addRoutes } from '../../tools/app.js'
import { appOrigin, callbackFor, sessionIn, signInAt } from '../oauth/app.js'
import { Browser } from '../oauth/browser.js'
import { clientId, clientSecret, startOidcServer } from '../oauth/oidc-server.js'

async function scene(t: Test) {
  const origin = await appOrigin()
  const server = await startOidcServer(t, origin)
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  app.register(gosesh)
  app.register(signInWithAcme, { origin, issuer: server.issuer, clientId, clientSecret })
  addRoutes(app)
  const { hostname, port } = new URL(origin)
  await app.listen({ host: hostname, port: Number(port) })
  return { app, origin, server, button: `${origin}/auth/acme` }
}

t.test('whoever signs in at the provider has a session of gosesh, always as the same user', async (t) => {
  const { app, origin, server, button } = await scene(t)
  const [one, two, other] = [new Browser(), new Browser(), new Browser()]
  t.equal(await signInAt(one, button), `${origin}/`)
  await signInAt(two, button)
  await signInAt(other, button, 'bo')
  const [session, again, bo] = [one, two, other].map((browser) => sessionIn(browser, origin))
  t.equal((await session)?.userId, await app.gosesh.upsertUser('acme|ada'))
  t.equal((await again)?.userId, (await session)?.userId)
  t.not((await bo)?.userId, (await session)?.userId)
  t.same([...one.cookies(origin).keys()], ['__Host-session'], 'the cookies of the way there are gone')
  t.ok(
    server.requests.some((path) => path.includes('code_challenge_method=S256')),
    'with PKCE',
  )
})

t.test('a callback that this browser did not begin signs nobody in', async (t) => {
  const { origin, button } = await scene(t)
  const [mallory, ada] = [new Browser(), new Browser()]
  const callback = await callbackFor(mallory, button, 'mallory')
  t.equal((await ada.get(callback)).status, 400)
  t.equal(await sessionIn(ada, origin), null)
  t.equal((await mallory.get(callback)).status, 302)
  t.equal((await mallory.get(callback)).status, 400, 'nor does one a second time')
})

t.test('a refusal at the provider, and a provider that is away, sign nobody in', async (t) => {
  const { origin, server, button } = await scene(t)
  const browser = new Browser()
  t.equal((await browser.get(await callbackFor(browser, button, null))).status, 400)
  const callback = await callbackFor(browser, button)
  await server.stop()
  t.equal((await browser.get(callback)).status, 400)
  t.equal(await sessionIn(browser, origin), null)
})
