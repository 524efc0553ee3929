import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { cart } from '../../../examples/recipes/cart.js'
import gosesh from '../../../lib/index.js'
import { WatchedStore } from '../../tools/store.js'
import { Browser } from './browser.js'

const right = { name: 'ada', password: 'correct horse' }

function shop(t: Test) {
  const store = new WatchedStore()
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { store, visitors: {} })
  app.register(cart, {
    checkPassword: async (name, password) => (password === right.password ? name : null),
  })
  app.register(async (scope) => {
    scope.get('/data', async (request) => await request.sessionData.all())
    scope.post('/data', async ({ body, sessionData }) => {
      for (const [key, value] of Object.entries(body as object)) await sessionData.set(key, value)
    })
    scope.get('/whoami', async ({ session }) => ({ userId: session?.userId ?? null }))
    scope.post('/logout', async (_request, reply) => {
      await reply.signOut()
      return {}
    })
  })
  const add = (browser: Browser, product: string, quantity = 1) =>
    browser.post('/cart', { product, quantity })
  const cartOf = async (browser: Browser) => (await browser.get('/cart')).json()
  return { app, store, add, cartOf }
}

t.test('a visitor fills a cart, and keeps it when they sign in', async (t) => {
  const { app, add, cartOf } = shop(t)
  const [browser, other] = [new Browser(app), new Browser(app)]
  t.same(await cartOf(browser), [])
  t.equal(browser.cookies.size, 0, 'a look at it begins nothing')
  await add(browser, 'tea', 2)
  await add(browser, 'cup')
  t.same((await add(browser, 'tea')).json(), [
    { product: 'cup', quantity: 1 },
    { product: 'tea', quantity: 3 },
  ])
  t.same(await cartOf(other), [])
  t.same((await browser.get('/whoami')).json(), { userId: null })

  t.equal((await browser.post('/login', right)).statusCode, 200)
  t.same((await browser.get('/whoami')).json(), { userId: 'ada' })
  t.same([...browser.cookies.keys()], ['__Host-session'], 'the visitor has ended')
  await add(browser, 'pot')
  t.equal((await cartOf(browser)).length, 3)
  await browser.post('/logout')
  t.same(await cartOf(browser), [])
})

t.test('a wrong password leaves the visitor their cart', async (t) => {
  const { app, add, cartOf } = shop(t)
  const browser = new Browser(app)
  await add(browser, 'tea')
  t.equal((await browser.post('/login', { ...right, password: 'guess' })).statusCode, 401)
  t.equal((await browser.post('/login', { name: 'ada' })).statusCode, 400)
  t.same(await cartOf(browser), [{ product: 'tea', quantity: 1 }])
})

t.test('products that are added at once all count', async (t) => {
  const { app, add, cartOf } = shop(t)
  const browser = new Browser(app)
  await add(browser, 'tea')
  await Promise.all(['tea', 'cup', 'tea', 'pot'].map((product) => add(browser, product)))
  const lines = (await cartOf(browser)) as { product: string; quantity: number }[]
  t.same(Object.fromEntries(lines.map(({ product, quantity }) => [product, quantity])), {
    tea: 3,
    cup: 1,
    pot: 1,
  })
})

t.test('a planted cookie brings the cart that it is named for, and nothing else', async (t) => {
  const { app, add, cartOf } = shop(t)
  const attacker = new Browser(app)
  await add(attacker, 'poison')
  await attacker.post('/data', { pendingSignIn: { userId: 'mallory' }, admin: true })
  const victim = new Browser(app, attacker.cookies)
  await victim.post('/login', right)
  t.same((await victim.get('/data')).json(), { cart: [{ product: 'poison', quantity: 1 }] })
  await add(victim, 'secret')
  t.same((await attacker.get('/data')).json(), {}, 'and who planted it sees nothing of the session')
  t.same((await attacker.get('/whoami')).json(), { userId: null })

  const session = new Browser(
    app,
    new Map([['__Host-session', attacker.cookies.get('__Host-visitor') ?? '']]),
  )
  t.same(await cartOf(session), [], 'nor is it good as a session')
})

t.test('a page of another origin plants no cart', async (t) => {
  const { app, store } = shop(t)
  const browser = new Browser(app)
  const elsewhere = { 'sec-fetch-site': 'cross-site' }
  const planted = await browser.send('POST', '/cart', { product: 'poison', quantity: 1 }, elsewhere)
  t.equal(planted.statusCode, 403)
  t.equal(browser.cookies.size, 0)
  t.notOk(store.counts.createSession)
})

t.test('a store that fails at the sign-in leaves the cart where it is', async (t) => {
  const { app, store, add, cartOf } = shop(t)
  const browser = new Browser(app)
  await add(browser, 'tea')
  store.fail('createSession')
  t.equal((await browser.post('/login', right)).statusCode, 503)
  store.off('createSession')
  t.same(await cartOf(browser), [{ product: 'tea', quantity: 1 }])
  await browser.post('/login', right)
  t.same(await cartOf(browser), [{ product: 'tea', quantity: 1 }])
})

t.test('a cart has its limits', async (t) => {
  const { app, add, cartOf } = shop(t)
  const browser = new Browser(app)
  for (const [product, quantity] of [
    ['', 1],
    ['x'.repeat(41), 1],
    ['<b>', 1],
    ['tea', 0],
    ['tea', 100],
    ['tea', 1.5],
  ] as const) {
    t.equal((await add(browser, product, quantity)).statusCode, 400, `${quantity} ${product}`)
  }
  t.equal(browser.cookies.size, 0)
  await add(browser, 'tea', 60)
  await add(browser, 'tea', 60)
  t.same(await cartOf(browser), [{ product: 'tea', quantity: 99 }])
  for (let i = 1; i < 50; i++) await add(browser, `p${String(i).padStart(39, '0')}`, 99)
  t.equal((await add(browser, 'one-more')).statusCode, 409)
  t.equal((await cartOf(browser)).length, 50)
})
