import t from 'tap'
import { callbackFor, scene, sessionIn } from './app.js'

t.test(
  'onSignIn names what of the visitor the session begins with, and how long its cookie stays',
  async (t) => {
    const { origin, browser, button } = await scene(
      t,
      { onSignIn: async () => ({ carry: ['cart'], persistent: false }) },
      {
        sessions: { visitors: {} },
        routes(app) {
          app.get('/fill', async ({ sessionData }) => {
            await sessionData.set('cart', ['book'])
            await sessionData.set('planted', 'by somebody else')
            return {}
          })
          app.get('/data', async ({ sessionData }) => await sessionData.all())
        },
      },
    )
    await browser.get(`${origin}/fill`)
    const response = await browser.get(await callbackFor(browser, button, 'ada'))
    const cookies = response.headers.getSetCookie()
    t.ok(cookies.some((line) => line.startsWith('__Host-session=') && !line.includes('Max-Age')))
    t.ok(cookies.some((line) => line.startsWith('__Host-visitor=; Max-Age=0')))
    t.ok(await sessionIn(browser, origin))
    t.same(await (await browser.get(`${origin}/data`)).json(), { cart: ['book'] })
  },
)

t.test('without visitors a key to carry is an error, and no sign-in', async (t) => {
  const { origin, browser, button } = await scene(t, { onSignIn: async () => ({ carry: ['cart'] }) })
  t.equal((await browser.get(await callbackFor(browser, button, 'ada'))).status, 500)
  t.equal(await sessionIn(browser, origin), null)
})
