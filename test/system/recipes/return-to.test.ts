import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { orSignIn, signInPage } from '../../../examples/recipes/return-to.js'
import gosesh from '../../../lib/index.js'
import { Browser } from './browser.js'

const right = { name: 'ada', password: 'correct horse' }
const navigation = { 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'same-origin' }

function appWithPages(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh)
  app.register(signInPage, {
    checkPassword: async (name, password) => (password === right.password ? name : null),
  })
  app.get('/inbox', { onRequest: orSignIn }, async (request) => request.requireSession().userId)
  return app
}

/** Where the form of the page leads. */
function actionOf(page: string): string {
  const [, action = ''] = /action="([^"]*)"/.exec(page) ?? []
  return action
}

t.test('who asked for a page comes back to it', async (t) => {
  const app = appWithPages(t)
  const browser = new Browser(app)
  const asked = await browser.send('GET', '/inbox?folder=a"b&all', undefined, navigation)
  t.equal(asked.statusCode, 303)
  const page = await browser.get(String(asked.headers.location))
  const action = actionOf(page.body)
  const wrong = await browser.post(action, { ...right, password: 'guess' })
  t.equal(wrong.statusCode, 401)
  t.match(wrong.body, 'The name or the password is wrong')
  t.equal(actionOf(wrong.body), action, 'and may try again')
  const signedIn = await app.inject({
    method: 'POST',
    url: action,
    headers: { ...navigation, 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams(right).toString(),
  })
  t.equal(signedIn.headers.location, '/inbox?folder=a%22b&all')
  const [{ name, value } = { name: '', value: '' }] = signedIn.cookies
  const back = new Browser(app, new Map([[name, value]]))
  t.equal((await back.get('/inbox?folder=a%22b&all')).body, 'ada')
})

t.test('it leads nowhere else', async (t) => {
  const browser = new Browser(appWithPages(t))
  for (const next of [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
    '"><script>alert(1)</script>',
  ]) {
    const query = new URLSearchParams({ next })
    const page = await browser.get(`/sign-in?${query}`)
    t.equal(actionOf(page.body), '/sign-in?next=%2F', next)
    t.notMatch(page.body, '<script')
    t.equal((await browser.post(`/sign-in?${query}`, right)).headers.location, '/', next)
  }
  const twice = await browser.post('/sign-in?next=/inbox&next=//evil.example', right)
  t.equal(twice.headers.location, '/')
  t.equal((await browser.post('/sign-in', right)).headers.location, '/')
})

t.test('a script that asks is told, not led', async (t) => {
  const browser = new Browser(appWithPages(t))
  t.match((await browser.get('/inbox')).json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
})
