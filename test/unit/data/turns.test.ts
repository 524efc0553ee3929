import t from 'tap'
import { Turns } from '../../../lib/data/turns.js'
import { buildApp, signIn } from '../../tools/app.js'

t.test('turns come in order, each when the one before it has ended', async (t) => {
  const turns = new Turns(60_000)
  const order: number[] = []
  await Promise.all(
    [1, 2, 3].map(async (n) => {
      const end = await turns.take('a')
      order.push(n)
      await new Promise((resolve) => setImmediate(resolve))
      order.push(n)
      end()
    }),
  )
  t.same(order, [1, 1, 2, 2, 3, 3])
})

t.test('turns at different values do not wait for each other', async (t) => {
  const turns = new Turns(60_000)
  await turns.take('a')
  const end = await turns.take('b')
  end()
  t.type(await turns.take('b'), 'function')
})

t.test('a turn that never ends is waited for a bounded time', async (t) => {
  const turns = new Turns(20)
  await turns.take('a')
  const started = performance.now()
  await turns.take('a')
  t.ok(performance.now() - started >= 15)
})

t.test('an update inside of an update of the same key is an error, and no deadlock', async (t) => {
  const app = buildApp(t)
  app.post('/work', async ({ sessionData }) => {
    const add = (old: unknown = 0) => Number(old) + 1
    return {
      result: await sessionData.update('n', async (old) => {
        await sessionData.update('n', add)
        return add(old)
      }),
    }
  })
  const { cookie } = await signIn(app)
  const response = await app.inject({ method: 'POST', url: '/work', headers: { cookie } })
  t.match(response.json(), { statusCode: 503, code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
})
