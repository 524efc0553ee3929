import t from 'tap'
import { callbackFor, scene, signInAt } from './app.js'
import { locationOf } from './browser.js'
import { stepUpScene } from './step-up-fixtures.js'

t.test('gosesh/oauth finds the session by whatever name it has', async (t) => {
  const { app, origin, browser, button } = await scene(t, {}, { sessions: { decorateAs: 'signedIn' } })
  const callback = await callbackFor(browser, button)
  t.equal(locationOf(await browser.get(callback)), `${origin}/`)
  t.equal(locationOf(await browser.get(callback)), `${origin}/`, 'loaded again by who has signed in by it')
  const response = await browser.get(`${origin}/me`)
  t.match(JSON.parse(await response.text()), { metadata: { provider: 'acme' } })
  const out = await browser.post(`${origin}/auth/sign-out?provider`, {}, { origin })
  t.match(locationOf(out), /\/session\/end\?/, 'at the provider that the session came from')
  t.equal((await browser.get(`${origin}/me`)).status, 401)
  t.ok(app.server.listening)
})

t.test('and confirms the session by whatever name it has', async (t) => {
  const scene = await stepUpScene(t, { sessions: { decorateAs: 'signedIn' } })
  const { browser, button, origin, login, ask } = scene
  login.age = 3_600
  await signInAt(browser, button)
  t.equal((await browser.get(`${origin}/danger`)).status, 401)
  login.age = 0
  ask.options = { reauthenticate: true, returnTo: '/danger' }
  t.equal(locationOf(await browser.get(await scene.callbackOf())), `${origin}/danger`)
  t.equal((await browser.get(`${origin}/danger`)).status, 200)
})
