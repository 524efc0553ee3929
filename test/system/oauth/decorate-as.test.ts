import t from 'tap'
import { callbackFor, scene } from './app.js'
import { locationOf } from './browser.js'

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
