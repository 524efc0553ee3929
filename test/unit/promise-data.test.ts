import t, { type Test } from 'tap'
import type { SessionDataAccess } from '../../lib/index.js'
import { buildApp, signIn } from '../tools/app.js'
import { WatchedStore } from '../tools/store.js'

type Work = (data: SessionDataAccess) => Promise<unknown>

/** A session whose requests each do some work with its data. */
async function setUp(test: Test) {
  const store = new WatchedStore()
  const app = buildApp(test, { store })
  const works: Work[] = []
  app.post<{ Querystring: { n: number } }>('/work', async ({ query, sessionData }) => ({
    result: await works[query.n]?.(sessionData),
  }))
  const { cookie, session } = await signIn(app)
  const run = async (work: Work) => {
    const url = `/work?n=${works.push(work) - 1}`
    return await app.inject({ method: 'POST', url, headers: { cookie } })
  }
  return { app, store, session, run }
}

t.test('promise 7: data is per key', async (t) => {
  t.test('two requests that change different keys both take effect, whichever ends first', async (t) => {
    const { store, run } = await setUp(t)
    const release = store.hold('writeData')
    const slow = run((data) => data.set('a', 1))
    while (store.counts.writeData === undefined) await new Promise((resolve) => setImmediate(resolve))
    store.off('writeData')
    await run((data) => data.set('b', 2))
    release()
    await slow
    t.same((await run((data) => data.all())).json(), { result: { a: 1, b: 2 } })
  })

  t.test('fifty updates of one key at once follow one another', async (t) => {
    const { run } = await setUp(t)
    const add = (data: SessionDataAccess) => data.update('n', (old = 0) => Number(old) + 1)
    const responses = await Promise.all(Array.from({ length: 50 }, () => run(add)))
    t.ok(responses.every(({ statusCode }) => statusCode === 200))
    t.same((await run((data) => data.get('n'))).json(), { result: 50 })
  })

  t.test('what twenty take goes to one of them', async (t) => {
    const { run } = await setUp(t)
    await run((data) => data.set('notice', 'saved'))
    const responses = await Promise.all(
      Array.from({ length: 20 }, () => run(async (data) => await data.take('notice'))),
    )
    t.same(
      responses.map((response) => response.json().result).filter((result) => result !== undefined),
      ['saved'],
    )
  })

  t.test('nothing is written to a session that has ended', async (t) => {
    const { app, store, session, run } = await setUp(t)
    const release = store.hold('writeData')
    const late = run((data) => data.set('a', 1))
    while (store.counts.writeData === undefined) await new Promise((resolve) => setImmediate(resolve))
    await app.gosesh.deleteSession(session.id)
    release()
    t.equal((await late).statusCode, 401)
    t.equal(await store.readData(session.id, null), null)
  })
})
