import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { flash, messagesOf } from '../../../examples/recipes/flash.js'
import gosesh, { type GoseshOptions } from '../../../lib/index.js'
import { addRoutes } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'
import { Browser } from './browser.js'

function flashingApp(t: Test, options: GoseshOptions = {}) {
  const store = new WatchedStore()
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { store, visitors: {}, ...options })
  addRoutes(app)
  app.post<{ Body: { says: string } }>('/profile', async (request, reply) => {
    await flash(request, request.body.says)
    return reply.redirect('/profile', 303)
  })
  app.get('/profile', async (request) => await messagesOf(request))
  const shown = async (browser: Browser) => (await browser.get('/profile')).json()
  return { app, store, shown }
}

t.test('a message is on the next page, once, of this browser alone', async (t) => {
  const { app, shown } = flashingApp(t)
  const [here, there] = [new Browser(app), new Browser(app)]
  const posted = await here.post('/profile', { says: 'Saved' })
  t.equal(posted.statusCode, 303)
  t.equal(posted.headers.location, '/profile')
  t.same(await shown(there), [])
  t.equal((await here.send('HEAD', '/profile')).statusCode, 200, 'which shows nothing to anybody')
  t.same(await shown(here), ['Saved'])
  t.same(await shown(here), [], 'and not again when it is loaded again')
})

t.test(
  'a signed-in user has messages of their own, and those of before the sign-in stay behind',
  async (t) => {
    const { app, shown } = flashingApp(t)
    const browser = new Browser(app)
    await browser.post('/profile', { says: 'planted' })
    await browser.post('/login')
    t.same(await shown(browser), [])
    await browser.post('/profile', { says: 'Saved' })
    t.same(await shown(browser), ['Saved'])
  },
)

t.test('two messages at once both stay, and of two pages at once one shows them', async (t) => {
  const { app, shown } = flashingApp(t)
  const browser = new Browser(app)
  await browser.post('/profile', { says: 'first' })
  await Promise.all(['second', 'third'].map((says) => browser.post('/profile', { says })))
  const pages = await Promise.all([shown(browser), shown(browser)])
  t.same(pages.map(({ length }) => length).sort(), [0, 3])
  t.same(pages.flat().sort(), ['first', 'second', 'third'])
})

t.test('messages that no page shows do not pile up', async (t) => {
  const { app, shown } = flashingApp(t)
  const browser = new Browser(app)
  for (let i = 1; i <= 12; i++) await browser.post('/profile', { says: String(i) })
  t.same(
    await shown(browser),
    Array.from({ length: 10 }, (_, i) => String(i + 3)),
  )
})

t.test('a page costs nobody anything who has no message and no session', async (t) => {
  const { app, store } = flashingApp(t)
  const response = await new Browser(app).get('/profile')
  t.same(response.json(), [])
  t.equal(response.headers['set-cookie'], undefined)
  t.same(store.counts, {})
})

t.test('without visitors only who is signed in has messages', async (t) => {
  const { app, shown } = flashingApp(t, { visitors: false })
  const browser = new Browser(app)
  t.equal((await browser.post('/profile', { says: 'Saved' })).statusCode, 401)
  await browser.post('/login')
  await browser.post('/profile', { says: 'Saved' })
  t.same(await shown(browser), ['Saved'])
})
