import type { Test } from 'tap'
import type { SessionDataAccess, SessionStore } from '../../lib/index.js'
import { buildApp, signIn } from './app.js'

type Work = (data: SessionDataAccess) => Promise<unknown>

/** Promise 7 on a store, as the requests of an application see it. */
export async function dataPerKey(t: Test, store: SessionStore): Promise<void> {
  const app = buildApp(t, { store })
  const works: Work[] = []
  app.post<{ Querystring: { n: number } }>('/work', async ({ query, sessionData }) => ({
    result: await works[query.n]?.(sessionData),
  }))
  const { cookie } = await signIn(app)
  const run = async (work: Work): Promise<unknown> => {
    const url = `/work?n=${works.push(work) - 1}`
    return (await app.inject({ method: 'POST', url, headers: { cookie } })).json()
  }
  const atOnce = (count: number, work: Work) => Promise.all(Array.from({ length: count }, () => run(work)))

  await atOnce(50, (data) => data.update('n', (old = 0) => Number(old) + 1))
  t.same(await run((data) => data.get('n')), { result: 50 }, 'fifty updates of one key')

  await run((data) => data.set('notice', 'saved'))
  const taken = await atOnce(20, async (data) => (await data.take('notice')) ?? null)
  t.same(
    taken.filter((answer) => (answer as { result: unknown }).result !== null),
    [{ result: 'saved' }],
    'twenty that take one value',
  )

  await Promise.all([run((data) => data.set('a', 1)), run((data) => data.set('b', 2))])
  t.match(await run((data) => data.all()), { result: { a: 1, b: 2 } }, 'two that set different keys')
}
