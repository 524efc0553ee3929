import t from 'tap'
import { internals } from '../../../lib/core/internals.js'
import { signIn } from '../../tools/app.js'
import { settle } from '../../tools/clock.js'
import { LoggedStore } from '../../tools/logged-store.js'
import { cachingNode, type Node, poll } from './cache-fixtures.js'

/** Two nodes over one store; `maxSessions: 0`, as hearing of ends takes no memory. */
async function twoNodes(t: Parameters<typeof cachingNode>[0]) {
  const store = new LoggedStore()
  const sessionCache = { maxSessions: 0, pollInterval: 1_000_000, maxStaleness: 4_000_000 }
  const options = { sessionCache, activityTracking: {} }
  return {
    here: await cachingNode(t, options, store),
    there: await cachingNode(t, options, store),
    store,
  }
}

function reasons({ ends }: Node): [string, string | null][] {
  return ends.map(({ reason, sessionId }) => [reason, sessionId])
}

t.test('a node hears of the ends of others, once, and of its own as before', async (t) => {
  for (const [name, reason, end] of [
    ['deleteSession', 'signedOut', (node, id) => node.app.gosesh.deleteSession(id)],
    ['deleteUserSessions', 'everywhere', (node) => node.app.gosesh.deleteUserSessions('ada')],
    [
      'deleteSessionsByMetadata',
      'signedOut',
      (node) => node.app.gosesh.deleteSessionsByMetadata({ device: 'laptop' }),
    ],
  ] satisfies [string, string, (node: Node, id: string) => Promise<unknown>][]) {
    const { here, there } = await twoNodes(t)
    const { session } = await signIn(here.app, { metadata: { device: 'laptop' } })
    await end(here, session.id)
    for (let i = 0; i < 2; i++) await Promise.all([poll(here), poll(there)])
    t.same(reasons(here), [[reason, session.id]], name)
    t.same(there.ends, [{ reason: 'elsewhere', sessionId: session.id, userId: null, except: null }], name)
  }
})

t.test('a change is no end, and neither is a sign-in', async (t) => {
  const { here, there } = await twoNodes(t)
  const { session } = await signIn(here.app)
  await here.app.gosesh.updateMetadata(session.id, { device: 'phone' })
  await here.app.gosesh.reauthenticate(session.id)
  await poll(there)
  t.same(there.ends, [])
})

t.test('deleteAllSessions is told as such here, and there as what the log says of it', async (t) => {
  const { here, there } = await twoNodes(t)
  await signIn(here.app)
  await here.app.gosesh.deleteAllSessions()
  await poll(there)
  t.match(there.ends, [{ reason: 'unknown', sessionId: null }])
  t.ok(reasons(here).some(([reason]) => reason === 'all'))
})

t.test(
  'a session that was replaced ended elsewhere, and one that nobody was given ended for nobody here',
  async (t) => {
    const { here, there } = await twoNodes(t)
    const { cookie, session } = await signIn(here.app)
    await here.app.inject({ method: 'POST', url: '/login', headers: { cookie }, body: {} })
    await poll(there)
    t.same(reasons(there), [['elsewhere', session.id]])
    t.same(reasons(here), [['replaced', session.id]])
  },
)

t.test('the log may be quicker than the answer of the call', async (t) => {
  t.test('then the end waits, and is told as the node own', async (t) => {
    const { here, store } = await twoNodes(t)
    const { session } = await signIn(here.app)
    store.on('deleteSession', async (proceed) => {
      const existed = await proceed()
      await poll(here)
      t.same(here.ends, [])
      return existed
    })
    await here.app.gosesh.deleteSession(session.id)
    t.same(reasons(here), [['signedOut', session.id]])
  })

  t.test('then it is told as an end elsewhere if the call did not end it', async (t) => {
    const { here, there, store } = await twoNodes(t)
    const { session } = await signIn(here.app)
    store.on('deleteSession', async (proceed) => {
      store.off('deleteSession')
      await there.app.gosesh.deleteSession(session.id)
      await poll(here)
      return await proceed()
    })
    t.equal(await here.app.gosesh.deleteSession(session.id), false)
    t.same(reasons(here), [['elsewhere', session.id]])
    t.same(reasons(there), [['signedOut', session.id]])
  })

  t.test('and others do not wait for it', async (t) => {
    const { here, there, store } = await twoNodes(t)
    const [one, two] = [await signIn(here.app), await signIn(here.app)]
    store.on('deleteSession', async (proceed) => {
      store.off('deleteSession')
      const existed = await proceed()
      await there.app.gosesh.deleteSession(two.session.id)
      await poll(here)
      t.same(reasons(here), [['elsewhere', two.session.id]])
      return existed
    })
    await here.app.gosesh.deleteSession(one.session.id)
    t.same(reasons(here).at(-1), ['signedOut', one.session.id])
  })

  t.test('a session that began during deleteUserSessions is told of too', async (t) => {
    const { here, store } = await twoNodes(t)
    const { session } = await signIn(here.app)
    let late = ''
    store.on('deleteUserSessions', async (proceed) => {
      store.off('deleteUserSessions')
      late = (await here.app.gosesh.createSession('ada')).session.id
      return await proceed()
    })
    await here.app.gosesh.deleteUserSessions('ada')
    t.same(
      reasons(here).sort(),
      [
        ['elsewhere', late],
        ['everywhere', session.id],
      ].sort(),
    )
  })

  t.test('of a user whose sessions cannot be listed all are told of as one', async (t) => {
    const { here, store } = await twoNodes(t)
    Object.defineProperty(store, 'listUserSessions', { value: undefined })
    const plain = await cachingNode(t, { store })
    await signIn(here.app, { user: 'bo' })
    await plain.app.gosesh.deleteUserSessions('ada')
    t.same(plain.ends, [{ reason: 'everywhere', sessionId: null, userId: 'ada', except: null }])
  })
})

t.test('the end elsewhere of a session takes its pending activity along', async (t) => {
  const { here, there } = await twoNodes(t)
  const { cookie, session } = await signIn(here.app)
  await there.app.inject({ url: '/whoami', headers: { cookie } })
  t.equal(there.app.gosesh.activityTracker?.pendingCount, 1)
  await here.app.gosesh.deleteSession(session.id)
  await poll(there)
  t.equal(there.app.gosesh.activityTracker?.pendingCount, 0)
})

t.test('a session whose token was never delivered ends for nobody here', async (t) => {
  const { here, store } = await twoNodes(t)
  const undelivered = () => Promise.reject(new Error('nobody is there'))
  await t.rejects(here.app[internals].createSession('ada', {}, undelivered), { message: 'nobody is there' })
  await poll(here)
  t.equal(store.counts.deleteSession, 1)
  t.same(here.ends, [])
})

t.test('an end that lands after its time is told once, whoever is quicker', async (t) => {
  for (const order of ['the answer', 'the log']) {
    const store = new LoggedStore()
    const sessionCache = { maxSessions: 0, pollInterval: 1_000_000, maxStaleness: 4_000_000 }
    const here = await cachingNode(t, { sessionCache, storeTimeout: 20 }, store)
    const { session } = await signIn(here.app)
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    store.on('deleteSession', async (proceed) => {
      const existed = await proceed()
      await answered
      return existed
    })
    await t.rejects(here.app.gosesh.deleteSession(session.id), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    if (order === 'the log') await poll(here)
    answer()
    await settle(10)
    await poll(here)
    t.same(reasons(here), [[order === 'the log' ? 'elsewhere' : 'signedOut', session.id]], order)
  }
})
