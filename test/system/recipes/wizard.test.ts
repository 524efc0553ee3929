import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { order } from '../../../examples/recipes/wizard.js'
import gosesh, { GoseshError } from '../../../lib/index.js'
import { Browser } from './browser.js'

const answers = {
  address: { street: '12 St James’s Square', city: 'London' },
  delivery: { day: 'saturday' },
  gift: { card: 'With love' },
}
type Step = keyof typeof answers

function wizard(t: Test, { place = async () => {} }: { place?: () => Promise<void> } = {}) {
  const placed: object[] = []
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { visitors: {} })
  app.register(order, {
    async place(whole) {
      await place()
      return `number ${placed.push(whole)}`
    },
  })
  const browser = new Browser(app)
  const answer = (step: Step, body: object = answers[step]) => browser.send('PUT', `/order/${step}`, body)
  return {
    app,
    placed,
    browser,
    answer,
    async answerAll() {
      for (const step of Object.keys(answers)) await answer(step as Step)
    },
    finish: () => browser.send('POST', '/order'),
  }
}

t.test('each step says which comes next, and the last one takes them all', async (t) => {
  const { answer, finish, placed } = wizard(t)
  t.same((await answer('address')).json(), { next: 'delivery' })
  t.same((await answer('delivery', { ...answers.delivery, price: 0 })).json(), { next: 'gift' })
  t.same((await answer('gift')).json(), { next: null })
  t.same((await finish()).json(), { number: 'number 1' })
  t.same(placed, [answers], 'without what no step asked for')
  const again = await finish()
  t.equal(again.statusCode, 409, 'and they are gone')
  t.match(again.json(), { message: 'The next step is address' })
})

t.test('no step is skipped', async (t) => {
  const { answer, finish, placed, browser } = wizard(t)
  t.match((await answer('delivery')).json(), { statusCode: 409, message: 'The next step is address' })
  t.match((await finish()).json(), { statusCode: 409, message: 'The next step is address' })
  t.equal(browser.cookies.size, 0, 'nothing began by it')
  await answer('address')
  t.match((await answer('gift')).json(), { statusCode: 409, message: 'The next step is delivery' })
  await answer('delivery')
  t.match((await finish()).json(), { statusCode: 409, message: 'The next step is gift' })
  await answer('gift')
  t.equal((await finish()).statusCode, 200, 'a try before its time has lost nothing')
  t.same(placed, [answers])
})

t.test('what does not fit is refused, and leaves the answers as they were', async (t) => {
  const { answer, answerAll, finish, placed } = wizard(t)
  await answerAll()
  for (const [step, body] of [
    ['address', { street: 'Nowhere' }],
    ['address', { street: '', city: 'x' }],
    ['address', { street: 'x'.repeat(201), city: 'x' }],
    ['delivery', { day: 'sunday' }],
    ['gift', {}],
  ] as const) {
    t.equal((await answer(step, body)).statusCode, 400, step)
  }
  await finish()
  t.same(placed, [answers])
})

t.test('whoever goes back answers the later steps again', async (t) => {
  const { answer, answerAll, finish, placed } = wizard(t)
  await answerAll()
  t.same((await answer('delivery', { day: 'weekday' })).json(), { next: 'gift' })
  t.match((await finish()).json(), { message: 'The next step is gift' })
  await answer('gift')
  await finish()
  t.match(placed, [{ address: answers.address, delivery: { day: 'weekday' } }])
})

t.test('of two at once one places the order', async (t) => {
  const { answerAll, finish, placed } = wizard(t)
  await answerAll()
  const statuses = (await Promise.all([finish(), finish(), finish()])).map(({ statusCode }) => statusCode)
  t.same(statuses.sort(), [200, 409, 409])
  t.equal(placed.length, 1)
})

t.test('an order that cannot be placed waits for another try, and does not undo a new one', async (t) => {
  let work = async (): Promise<void> => {
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE')
  }
  const { answer, answerAll, finish, placed } = wizard(t, { place: () => work() })
  await answerAll()
  t.equal((await finish()).statusCode, 503)
  work = async () => {
    await answer('address', { street: 'Elsewhere', city: 'Paris' })
    throw new Error('the warehouse is closed')
  }
  t.equal((await finish()).statusCode, 500)
  work = async () => {}
  t.match((await finish()).json(), { message: 'The next step is delivery' }, 'of the new one')
  await answer('delivery')
  await answer('gift')
  t.same((await finish()).json(), { number: 'number 1' })
  t.match(placed, [{ address: { city: 'Paris' } }])
})

t.test('nobody else sees the answers, and a page of another origin begins no order', async (t) => {
  const { app, answerAll } = wizard(t)
  await answerAll()
  t.equal((await new Browser(app).post('/order')).statusCode, 409)
  const elsewhere = { 'sec-fetch-site': 'same-site' }
  const browser = new Browser(app)
  t.equal((await browser.send('PUT', '/order/address', answers.address, elsewhere)).statusCode, 403)
})
